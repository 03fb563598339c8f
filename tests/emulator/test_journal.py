import threading

import httpx
import pytest


def test_every_request_on_both_origins_is_written_down(emu, api, ids):
    link = api.link(f"/pointclouds/{ids.odd.ascii_ply}/resources/ply/download")
    body = api.fetch(link, Range="bytes=0-9").content
    first, second = emu.journal
    assert (first.number, first.origin, first.service, first.method) == (0, "api", "cupix", "GET")
    assert first.path == f"/api/v1/pointclouds/{ids.odd.ascii_ply}/resources/ply/download"
    assert (first.status, first.carried_token, first.bytes_sent) == (302, True, 0)
    assert (second.origin, second.service, second.status) == ("storage", "storage", 206)
    assert (second.range, second.carried_token) == ("bytes=0-9", False)
    assert second.bytes_sent == len(body) == 10
    assert second.time == emu.clock.now()


def test_a_token_in_the_query_is_noticed_and_not_kept(emu):
    base_url, token = emu.endpoint("cupix")
    httpx.get(f"{base_url}/me", params={"fields": "id", "X-Cupix-Auth": token})
    (entry,) = emu.journal
    assert entry.carried_token
    assert entry.query == {"fields": "id", "X-Cupix-Auth": "[redacted]"}
    assert token not in repr(entry)


def test_entries_are_found_by_any_field(emu, api):
    api.get("/me", fields="id")
    api.get("/me")
    api.request("DELETE", "/me")
    assert [e.status for e in emu.journal.where(path="*/me", method="GET")] == [200, 400]
    assert len(emu.journal.where(status=405, carried_token=True)) == 1
    with pytest.raises(ValueError, match="no field 'statuss'; it has"):
        emu.journal.where(statuss=200)


def test_it_is_a_sequence_and_can_be_emptied(emu, api):
    for _ in range(3):
        api.get("/me", fields="id")
    assert len(emu.journal) == 3
    assert [e.number for e in emu.journal[1:]] == [1, 2]
    assert emu.journal[-1].number == 2
    emu.journal.clear()
    assert list(emu.journal) == []


def test_no_request_is_lost_when_many_come_at_once(emu):
    base_url, token = emu.endpoint("cupix")

    def call():
        with httpx.Client(headers={"X-CUPIX-AUTH": token}) as client:
            for _ in range(10):
                assert client.get(f"{base_url}/me?fields=id").status_code == 200

    threads = [threading.Thread(target=call) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [entry.number for entry in emu.journal] == list(range(80))
