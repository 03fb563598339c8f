"""A token stays at its origin, failures become errors, and only safe calls are repeated."""

from __future__ import annotations

import email.utils
import gzip
import json
import logging
import pickle
from dataclasses import replace

import h11
import httpx
import pytest

from cupixgeo.errors import (
    ArgumentError,
    AuthenticationError,
    BadRequestError,
    ConnectionFailedError,
    CredentialError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResponseError,
    ServerError,
    ServiceError,
)
from cupixgeo.net.auth import FixedAuth
from cupixgeo.net.secret import Secret
from cupixgeo.net.session import Session
from cupixgeo.net.wire import is_loopback, origin_of
from tests.net.conftest import Reply, told

PLANTED = "planted" + "-0123456789-token"
OK = Reply(body=b'{"result": 1}')


def read_error(body):
    return (body["code"], body["message"]) if isinstance(body, dict) else (None, None)


@pytest.fixture
def session(server, settings):
    session = Session(
        f"{server.url}/api/v1",
        service="cupix",
        auth={"X-CUPIX-AUTH": Secret(PLANTED)},
        settings=settings,
        read_error=read_error,
    )
    yield session
    session.close()


# -- the token -----------------------------------------------------------------------------------


def test_the_token_goes_to_its_own_origin_and_no_other(session, server, other_server):
    server.script(OK)
    other_server.script(OK)
    assert session.json("GET", "me", params={"fields": "id"}) == {"result": 1}
    assert session.json("GET", f"{other_server.url}/me") == {"result": 1}
    assert server.seen[0].headers["x-cupix-auth"] == PLANTED
    assert server.seen[0].path == "/api/v1/me?fields=id"
    assert PLANTED not in str(other_server.seen)


def test_the_address_of_a_transfer_carries_parameters_that_prove_who_asks(server, settings):
    auth = FixedAuth(params={"token": Secret(PLANTED + "&=")})
    session = Session(f"{server.url}/api", service="node", auth=auth, settings=settings)
    address = session.address("a/b", params={"x": 1})
    assert address.reveal() == f"{server.url}/api/a/b?x=1&token={PLANTED}%26%3D"
    assert PLANTED not in repr(address) + repr(session)
    assert session.address("https://else.example/a").reveal() == "https://else.example/a"
    session.close()


def test_a_redirect_is_handed_out_and_not_followed(session, server, other_server):
    signed = f"{other_server.url}/file.laz?X-Signature=abcdef0123"
    server.script(Reply(302, headers={"Location": signed}))
    link = session.location("pointclouds/5310/download")
    assert link.reveal() == signed
    assert "X-Signature" not in repr(link)
    with pytest.raises(ResponseError, match="not followed") as caught:
        session.json("GET", "pointclouds")
    assert "abcdef0123" not in told(caught.value)
    assert other_server.seen == []


def test_a_relative_redirect_is_made_absolute(session, server):
    server.script(Reply(302, headers={"Location": "/files/a.laz?sig=1"}))
    assert session.location("pointclouds/1/download").reveal() == f"{server.url}/files/a.laz?sig=1"


def test_a_file_address_is_asked_for_but_something_else_comes(session, server):
    server.script(Reply(body=b"<html>hello</html>", headers={"Content-Type": "text/html"}))
    with pytest.raises(ResponseError, match="instead of the address of a file"):
        session.location("pointclouds/5310/download")


def test_a_secret_inside_a_json_body_is_sent_and_shown_nowhere(session, server, caplog):
    caplog.set_level(logging.DEBUG)
    password = "planted" + "-0123456789-password"
    server.script(OK, Reply(500))
    body = {"user": {"password": Secret(password)}}
    session.json("POST", "sign-in", body=body)
    assert json.loads(server.seen[0].body) == {"user": {"password": password}}
    with pytest.raises(ServerError) as caught:
        session.json("POST", "sign-in", body=body)
    assert password not in told(caught.value) + caplog.text
    with pytest.raises(TypeError, match="object has no JSON"):
        session.json("POST", "sign-in", body={"odd": object()})


@pytest.mark.parametrize(
    "reply",
    [
        Reply(401),
        Reply(500, body=PLANTED.encode()),
        Reply(400, body=json.dumps({"code": "A", "message": f"bad token {PLANTED}"}).encode()),
        Reply(200, body=b"<html>" + PLANTED.encode()),
        Reply(200, body=b'{"result": [1, 2', cut=9),
        Reply(302, headers={"Location": "https://other.example/?sig=55"}),
    ],
)
def test_no_error_and_no_frame_of_its_traceback_shows_the_token(session, server, reply):
    server.script(reply)
    with pytest.raises(ServiceError) as caught:
        session.json("GET", "me")
    assert PLANTED not in told(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert "/httpcore/" not in told(caught.value)


def test_a_refused_connection_shows_no_token_either(server, settings):
    session = Session(server.url, service="cupix", auth={"A": Secret(PLANTED)}, settings=settings)
    server.close()
    with pytest.raises(ConnectionFailedError, match="tried 5 times: ConnectError") as caught:
        session.json("GET", "me")
    assert PLANTED not in told(caught.value)
    assert "/httpx/" not in told(caught.value)
    session.close()


def test_ctrl_c_in_the_middle_of_a_request_shows_no_token(session, monkeypatch):
    """Stopped where the frames of the HTTP library hold all headers."""

    def stop(*args, **kwargs):
        raise KeyboardInterrupt

    monkeypatch.setattr(h11.Connection, "send", stop)
    with pytest.raises(KeyboardInterrupt) as caught:
        session.json("GET", "me")
    assert PLANTED not in told(caught.value)
    assert "/httpcore/" not in told(caught.value)


def test_an_account_that_another_thread_closes_before_a_call_is_sent_says_so(session, monkeypatch):
    headers = session._auth.headers

    def close_first():
        session.close()
        return headers()

    monkeypatch.setattr(session._auth, "headers", close_first)
    with pytest.raises(ConnectionFailedError, match="was closed: connect again") as caught:
        session.json("GET", "pointclouds")
    assert PLANTED not in told(caught.value)


def test_logs_at_debug_show_neither_token_nor_queries_nor_links(session, server, caplog):
    caplog.set_level(logging.DEBUG)
    signed = "https://storage.example/a?X-Signature=abcdef0123"
    server.script(OK, Reply(302, headers={"Location": signed, "Set-Cookie": "s=cookiecookie"}))
    session.json("GET", "pointclouds", params={"record_id": 602})
    session.location("pointclouds/5310/download")
    for leak in (PLANTED, "record_id", "602", "X-Signature", "abcdef0123", "cookiecookie"):
        assert leak not in caplog.text
    assert "cupix GET /pointclouds 200" in caplog.text
    assert "13 bytes" in caplog.text


def test_other_users_of_the_library_keep_their_logs(session, server, caplog):
    caplog.set_level(logging.INFO)
    server.script(OK)
    httpx.get(f"{server.url}/theirs", trust_env=False)
    assert "/theirs" in caplog.text


def test_a_session_shows_no_token_and_is_not_pickled(session):
    assert PLANTED not in repr(session)
    with pytest.raises(TypeError, match="make a new one"):
        pickle.dumps(session)


def test_cookies_are_not_kept(session, server):
    server.script(Reply(body=b"1", headers={"Set-Cookie": "track=me; Path=/"}))
    session.json("GET", "a")
    session.json("GET", "b")
    assert "cookie" not in server.seen[1].headers


def test_an_unencrypted_address_elsewhere_needs_a_word():
    with pytest.raises(CredentialError, match="unencrypted"):
        Session("http://192.0.2.1/api", service="cupix", auth={"A": Secret(PLANTED)})
    Session(
        "http://192.0.2.1/api", service="cupix", auth={"A": Secret(PLANTED)}, plain_http=True
    ).close()


@pytest.mark.parametrize(
    "address", ["ftp://host/api", "host/api", "", "https://u:pw@host/api", "https://host/?key=1"]
)
def test_what_is_no_api_root_is_refused(address):
    with pytest.raises(ArgumentError) as caught:
        Session(address, service="cupix", auth={})
    assert "pw" not in told(caught.value)
    assert "key=1" not in told(caught.value)


def test_a_token_no_header_can_carry_is_refused_before_it_is_sent():
    with pytest.raises(CredentialError, match="the cupix token"):
        Session("https://host", service="cupix", auth={"A": Secret("two words")})


@pytest.mark.parametrize(
    ("address", "origin"),
    [
        ("HTTPS://Api.Cupix.Works/api", "https://api.cupix.works:443"),
        ("http://127.0.0.1:80/x", "http://127.0.0.1:80"),
        ("http://[::1]:8080/x", "http://[::1]:8080"),
    ],
)
def test_an_origin_is_scheme_host_and_port(address, origin):
    assert origin_of(address) == origin


def test_loopback_is_told_from_the_rest():
    assert is_loopback("http://localhost:1")
    assert is_loopback("http://127.0.0.1:1")
    assert is_loopback("http://[::1]:1")
    assert not is_loopback("http://127.0.0.1.example.com:1")
    assert not is_loopback("https://10.0.0.1:443")


# -- errors --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, BadRequestError),
        (401, AuthenticationError),
        (403, PermissionDeniedError),
        (404, NotFoundError),
        (409, BadRequestError),
        (422, BadRequestError),
        (429, RateLimitError),
        (500, ServerError),
        (503, ServerError),
        (599, ServerError),
    ],
)
def test_each_status_has_its_error_with_or_without_a_body(session, server, status, kind):
    server.script(Reply(status, headers={"X-Request-Id": "r-77", "Retry-After": "3"}))
    with pytest.raises(kind, match=r"GET /pointclouds/9") as caught:
        session.json("GET", "pointclouds/9")
    error = caught.value
    assert type(error) is kind
    assert (error.service, error.verb, error.status) == ("cupix", "GET /pointclouds/9", status)
    assert (error.request_id, error.retry_after, error.code) == ("r-77", 3.0, None)
    assert pickle.loads(pickle.dumps(error)).status == status


def test_the_services_own_code_and_words_are_passed_on(session, server):
    body = b'{"code": "ARG10001", "message": "fields is required."}'
    server.script(Reply(400, body=body))
    with pytest.raises(BadRequestError, match=r"\(400, ARG10001\): fields is required\. C") as c:
        session.json("GET", "pointclouds")
    assert c.value.code == "ARG10001"


def test_html_and_cut_json_name_the_call_and_what_came(session, server):
    html = Reply(
        body=b"<!DOCTYPE html><title>Sign in</title>", headers={"Content-Type": "text/html; x=1"}
    )
    server.script(html)
    with pytest.raises(ResponseError, match=r"GET /me .*\(text/html\).*<title>Sign in") as caught:
        session.json("GET", "me")
    assert caught.value.status == 200
    server.script(Reply(body=b'{"result": {"data": [', headers={"Content-Type": "a/json"}))
    with pytest.raises(ResponseError, match=r"21 bytes \(a/json\) starting '\{\"result\""):
        session.json("GET", "me")
    server.script(Reply(body=b""))
    with pytest.raises(ResponseError, match="an empty body"):
        session.json("GET", "me")
    server.script(Reply(body=b"[" * 200_000))
    with pytest.raises(ResponseError, match="not whole JSON"):
        session.json("GET", "me")


def test_no_content_is_none(session, server):
    server.script(Reply(204))
    assert session.json("PUT", "records/1/flush") is None


def test_an_answer_over_the_limit_is_refused(server, settings):
    small = replace(settings, max_answer_bytes=1000)
    with_limit = Session(server.url, service="cupix", auth={}, settings=small)
    bomb = gzip.compress(b" " * 100_000 + b"1")
    server.script(Reply(body=bomb, headers={"Content-Encoding": "gzip"}))
    assert len(bomb) < 1000
    with pytest.raises(ResponseError, match="more than 1000 bytes"):
        with_limit.json("GET", "me")
    assert len(server.seen) == 1
    with_limit.close()


# -- repeats -------------------------------------------------------------------------------------


def test_passing_failures_are_retried_until_they_pass(session, server, pauses):
    server.script(Reply(500), Reply(503), Reply(body=b'{"a": 1}', cut=4), OK)
    assert session.json("GET", "me") == {"result": 1}
    assert pauses == [0.25, 0.5, 1.0]


def test_retry_after_is_kept_in_seconds_and_as_a_date(session, server, pauses):
    date = email.utils.formatdate(1_000_000_020, usegmt=True)
    server.script(
        Reply(429, headers={"Retry-After": "7"}), Reply(429, headers={"Retry-After": date}), OK
    )
    assert session.json("GET", "me") == {"result": 1}
    assert pauses == [7.25, 20.25]


def test_a_wait_of_an_hour_is_told_and_not_waited_out(session, server, pauses):
    server.script(Reply(429, headers={"Retry-After": "3600"}), OK)
    with pytest.raises(RateLimitError, match="wait 3600 s") as caught:
        session.json("GET", "me")
    assert caught.value.retry_after == 3600
    assert pauses == []


def test_it_gives_up_after_the_last_try_and_says_how_often(session, server, pauses):
    server.script(Reply(502))
    with pytest.raises(ServerError, match="5 times"):
        session.json("GET", "me")
    assert len(server.seen) == 5
    assert len(pauses) == 4


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 501])
def test_lasting_failures_are_not_repeated(session, server, status):
    server.script(Reply(status))
    with pytest.raises(ServiceError):
        session.json("GET", "me")
    assert len(server.seen) == 1


def test_only_calls_that_are_safe_to_repeat_are_repeated(session, server):
    server.script(Reply(503))
    for method, safe, times in (("POST", None, 1), ("POST", True, 5), ("GET", False, 1)):
        server.seen.clear()
        with pytest.raises(ServerError):
            session.json(method, "records", body={"name": "x"}, safe_to_repeat=safe)
        assert len(server.seen) == times
        assert json.loads(server.seen[-1].body) == {"name": "x"}


def test_a_stalled_body_ends_in_a_typed_error(server, settings):
    session = Session(
        server.url,
        service="cupix",
        auth={},
        settings=replace(settings, read_timeout_s=0.1, attempts=2),
    )
    server.script(Reply(body=b'{"result": 1}', cut=5, stall_s=5.0))
    with pytest.raises(ConnectionFailedError, match="tried 2 times: ReadTimeout"):
        session.json("GET", "me")
    session.close()
