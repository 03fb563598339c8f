import http.client
import json
import time

import httpx
import pytest

from cupixgeo.emulator import faults


@pytest.fixture
def link(api, ids):
    return api.link(f"/pointclouds/{ids.sub}/download")


def receive(response):
    """Return the body as far as it comes, and the error that ended it."""
    received = b""
    try:
        for piece in response.iter_raw():
            received += piece
    except httpx.RemoteProtocolError as error:
        return received, error
    return received, None


def statuses(api, count, path="/me"):
    return [api.get(path, fields="id").status_code for _ in range(count)]


def test_429_comes_with_retry_after_and_only_as_often_as_ordered(emu, api):
    rule = emu.faults.add(faults.rate_limited(retry_after_s=2), path="/me", times=2)
    limited = api.get("/me", fields="id")
    assert (limited.status_code, limited.headers["Retry-After"], limited.content) == (429, "2", b"")
    assert statuses(api, 3) == [429, 200, 200]
    assert (rule.fired, rule.exhausted) == (2, True)
    assert [e.fault for e in emu.journal] == ["rate_limited", "rate_limited", None, None]


def test_429_can_come_without_retry_after(emu, api):
    emu.faults.add(faults.rate_limited(None))
    assert "Retry-After" not in api.get("/me", fields="id").headers


@pytest.mark.parametrize("status", [500, 503])
def test_server_errors(emu, api, status):
    emu.faults.add(faults.server_error(status), path="/me")
    assert statuses(api, 2) == [status, 200]


def test_a_fault_can_wait_for_the_nth_matching_request(emu, api):
    emu.faults.add(faults.server_error(), path="/me", nth=3)
    assert statuses(api, 2, "/workspaces") == [200, 200]
    assert statuses(api, 4) == [200, 200, 500, 200]


def test_a_fault_can_last(emu, api):
    emu.faults.add(faults.server_error(503), path="/me", nth=2, times=None)
    assert statuses(api, 4) == [200, 503, 503, 503]
    emu.faults.clear()
    assert statuses(api, 1) == [200]


def test_the_oldest_order_wins_and_the_next_one_follows(emu, api):
    emu.faults.add(faults.server_error(500), path="/me")
    emu.faults.add(faults.server_error(502), path="/*", times=2)
    assert statuses(api, 3) == [500, 502, 502]


def test_a_fault_is_about_one_method_and_one_service(emu, api):
    emu.faults.add(faults.server_error(), method="POST")
    emu.faults.add(faults.server_error(), service="storage")
    assert statuses(api, 1) == [200]


def test_no_answer_at_all(emu, api):
    emu.faults.add(faults.no_answer(), path="/me")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        api.get("/me", fields="id")
    assert emu.journal[0].status == 0
    assert statuses(api, 1) == [200]


def test_what_was_asked_is_done_and_the_answer_lost(emu, api):
    emu.faults.add(faults.lost_reply(), method="GET", path="/me")
    with pytest.raises(httpx.RemoteProtocolError, match="without sending a response"):
        api.get("/me", fields="id")
    assert (emu.journal[0].status, emu.journal[0].fault) == (200, "lost_reply")


def test_a_body_is_cut_short_of_its_declared_length(emu, link):
    emu.faults.add(faults.cut_body(after=1000), service="storage", path="*/5310/*")
    with httpx.stream("GET", link) as response:
        assert int(response.headers["Content-Length"]) > 100_000
        received, error = receive(response)
    assert error is not None
    assert len(received) == 1000
    assert emu.journal[-1].bytes_sent == 1000


def test_an_expired_signature_is_refused_and_a_new_link_works(emu, api, ids, link):
    emu.faults.add(faults.expired_signature(), service="storage")
    refused = api.fetch(link)
    assert refused.status_code == 403
    assert b"Request has expired" in refused.content
    assert api.fetch(link).status_code == 403
    assert api.fetch(api.link(f"/pointclouds/{ids.sub}/download")).status_code == 200


def test_a_link_expires_in_the_middle_and_the_next_one_continues(emu, api, ids, link):
    whole = api.fetch(api.link(f"/pointclouds/{ids.sub}/download")).content
    emu.faults.add(faults.expired_midway(after=5000), service="storage")
    with httpx.stream("GET", link) as response:
        received, error = receive(response)
    assert error is not None
    assert received == whole[:5000]
    assert api.fetch(link, Range="bytes=5000-").status_code == 403
    renewed = api.link(f"/pointclouds/{ids.sub}/download")
    assert renewed != link
    rest = api.fetch(renewed, Range="bytes=5000-", If_Range=response.headers["ETag"])
    assert rest.status_code == 206
    assert received + rest.content == whole


def test_a_slow_body_arrives_whole(emu, api):
    honest = api.get("/sessions").content
    emu.faults.add(faults.slow_body(0.02, chunk=len(honest) // 4), path="/sessions")
    start = time.monotonic()
    assert api.get("/sessions").content == honest
    assert time.monotonic() - start >= 0.08


def test_an_html_page_with_status_200(emu, api):
    emu.faults.add(faults.html_page(), path="/pointclouds")
    response = api.get("/pointclouds", fields="id")
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("text/html")
    assert response.text.startswith("<!doctype html>")


def test_json_that_stops_in_the_middle_with_status_200(emu, api):
    honest = api.get("/pointclouds", fields="id").content
    emu.faults.add(faults.truncated_json(), path="/pointclouds")
    response = api.get("/pointclouds", fields="id")
    assert response.status_code == 200
    assert response.content == honest[: len(honest) // 2]
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_a_declared_length_that_is_too_long(emu, api):
    honest = api.get("/sessions").content
    emu.faults.add(faults.wrong_length(+10), path="/sessions")
    with pytest.raises(httpx.RemoteProtocolError, match=f"received {len(honest)} bytes"):
        api.get("/sessions")


def test_a_declared_length_that_is_too_short(emu, link):
    whole = httpx.get(link).content
    emu.faults.add(faults.wrong_length(-10), service="storage")
    # http.client stops at the declared length, as most clients do
    url = httpx.URL(link)
    connection = http.client.HTTPConnection(url.host, url.port)
    connection.request("GET", url.raw_path.decode())
    with connection.getresponse() as response:
        assert response.read() == whole[:-10]
    connection.close()


def test_any_json_can_be_put_in_the_service_s_mouth(emu, api):
    emu.faults.add(faults.json_reply({"result": {"data": None}, "session": None}))
    assert api.result("/pointclouds", fields="id") == {"data": None}


@pytest.mark.parametrize(
    ("order", "message"),
    [
        ({"service": "cupiks"}, "no emulated service is called 'cupiks'; there are cupix"),
        ({"nth": 0}, "count from 1"),
        ({"times": 0}, "count from 1"),
    ],
)
def test_an_order_nobody_could_carry_out_is_refused(emu, order, message):
    with pytest.raises(ValueError, match=message):
        emu.faults.add(faults.no_answer(), **order)


@pytest.mark.parametrize(
    "make",
    [
        lambda: faults.server_error(404),
        lambda: faults.cut_body(-1),
        lambda: faults.truncated_json(1.0),
        lambda: faults.slow_body(-1),
    ],
)
def test_a_fault_that_is_none_is_refused(make):
    with pytest.raises(ValueError, match="not"):
        make()
