import http.client

import httpx
import pytest

from cupixgeo.emulator import Clock
from cupixgeo.emulator.stage import Options
from cupixgeo.emulator.storage import Storage, StoredObject
from cupixgeo.emulator.wire import Request

CONTENT = bytes(range(100))


@pytest.fixture
def link(api, ids):
    return api.link(f"/pointclouds/{ids.sub}/download")


def test_a_link_leads_to_the_other_origin_and_names_the_file(emu, api, link):
    response = api.fetch(link)
    assert link.startswith(f"{emu.storage_url}/")
    assert response.status_code == 200
    assert response.headers["Content-Disposition"].startswith(
        'attachment; filename="shore-5310.laz"'
    )
    assert int(response.headers["Content-Length"]) == len(response.content)
    assert response.headers["Accept-Ranges"] == "bytes"
    assert response.headers["ETag"].strip('"').isalnum()


def test_a_link_expires_by_the_emulator_s_clock(emu, api, link):
    emu.clock.advance(emu.options.link_lifetime_s - 1)
    assert api.fetch(link).status_code == 200
    emu.clock.advance(1)
    refused = api.fetch(link)
    assert refused.status_code == 403
    assert refused.headers["Content-Type"] == "application/xml"
    assert b"<Code>AccessDenied</Code><Message>Request has expired</Message>" in refused.content


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        (lambda u: u.copy_set_param("X-Emu-Expires", "9999999999"), b"SignatureDoesNotMatch"),
        (lambda u: u.copy_set_param("X-Emu-Serial", "77"), b"SignatureDoesNotMatch"),
        (lambda u: u.copy_set_param("X-Emu-Signature", "0" * 64), b"SignatureDoesNotMatch"),
        (lambda u: u.copy_with(path=u.path.replace("5310", "5311")), b"SignatureDoesNotMatch"),
        (lambda u: u.copy_with(query=None), b"AccessDenied"),
    ],
)
def test_a_forged_link_is_refused(api, link, forge, code):
    response = api.fetch(str(forge(httpx.URL(link))))
    assert response.status_code == 403
    assert code in response.content


def test_a_token_sent_to_storage_is_counted_and_served(emu, api, link):
    assert api.fetch(link, X_CUPIX_AUTH=api.token).status_code == 200
    assert len(emu.journal.where(origin="storage", carried_token=True)) == 1


def test_a_token_in_the_link_s_query_is_counted_too(emu, api, link):
    assert api.fetch(f"{link}&x-cupix-auth={api.token}").status_code == 200
    assert len(emu.journal.where(origin="storage", carried_token=True)) == 1


def test_the_strict_store_refuses_a_token(emu, api, link):
    emu.options.strict_storage = True
    assert api.fetch(link, X_CUPIX_AUTH=api.token).status_code == 400
    assert api.fetch(link).status_code == 200


def test_storage_only_gives(api, link):
    assert httpx.put(link, content=b"x").status_code == 405


def store(content=CONTENT):
    storage = Storage(1, Clock(), Options())
    url = httpx.URL(storage.link(StoredObject("a/b c.bin", "b c.bin", "text/x", lambda: content)))

    def ask(**headers):
        names = {name.replace("_", "-"): value for name, value in headers.items()}
        request = Request("GET", url.path, dict(url.params), names)
        return storage.handle(request, carried_token=False)

    return ask


@pytest.mark.parametrize(
    ("header", "first", "last"),
    [
        ("bytes=0-0", 0, 0),
        ("bytes=10-19", 10, 19),
        ("bytes=90-", 90, 99),
        ("bytes=90-500", 90, 99),
        ("bytes=-5", 95, 99),
        ("bytes=-500", 0, 99),
    ],
)
def test_a_range_is_answered_with_206(header, first, last):
    response = store()(range=header)
    assert response.status == 206
    assert response.header("Content-Range") == f"bytes {first}-{last}/100"
    assert response.body == CONTENT[first : last + 1]


@pytest.mark.parametrize("header", ["bytes=100-", "bytes=500-600", "bytes=-0"])
def test_a_range_outside_is_416_and_tells_the_size(header):
    response = store()(range=header)
    assert response.status == 416
    assert response.header("content-range") == "bytes */100"
    assert b"InvalidRange" in response.body


@pytest.mark.parametrize(
    "header", ["bytes=5-2", "bytes=0-1,4-5", "bytes=-", "lines=0-1", "bytes=a-b", "0-5"]
)
def test_a_range_that_makes_no_sense_is_ignored(header):
    response = store()(range=header)
    assert (response.status, response.body) == (200, CONTENT)


def test_an_empty_object_has_no_range():
    assert store(b"")(range="bytes=0-").status == 416
    assert store(b"")().status == 200


def test_if_range_gives_the_part_only_while_the_file_is_the_same():
    ask = store()
    tag = ask().header("ETag")
    modified = ask().header("Last-Modified")
    assert ask(range="bytes=50-", if_range=tag).status == 206
    assert ask(range="bytes=50-", if_range=modified).status == 206
    changed = ask(range="bytes=50-", if_range='"other"')
    assert (changed.status, changed.body) == (200, CONTENT)


def test_a_key_that_was_never_linked_is_404():
    storage = Storage(1, Clock(), Options())
    other = Storage(1, Clock(), Options())
    url = httpx.URL(other.link(StoredObject("a", "a", "text/x", lambda: b"")))
    response = storage.handle(Request("GET", "/a", dict(url.params)), carried_token=False)
    assert response.status == 404
    assert b"NoSuchKey" in response.body


def test_a_name_with_quotes_and_umlauts_stays_one_header():
    stored = StoredObject("k", 'Söhne "x"\\.laz', "text/x", lambda: b"")
    assert stored.disposition == (
        "attachment; filename=\"S?hne 'x'\\.laz\"; filename*=UTF-8''S%C3%B6hne%20%22x%22%5C.laz"
    )


def test_a_stale_connection_is_not_needed_for_the_next_range(api, link):
    url = httpx.URL(link)
    connection = http.client.HTTPConnection(url.host, url.port)
    whole = api.fetch(link).content
    parts = []
    for start in (0, 1000, 2000):
        headers = {"Range": f"bytes={start}-{start + 999}"}
        connection.request("GET", url.raw_path.decode(), headers=headers)
        with connection.getresponse() as response:
            assert response.status == 206
            parts.append(response.read())
    connection.close()
    assert b"".join(parts) == whole[:3000]
