import base64
import hashlib
import io
import zipfile

import httpx
import pytest

from cupixgeo.emulator import faults
from tests.emulator.teleport.conftest import CHUNK, PHOTOS, md5


def code(answer):
    return answer.text.partition("<Code>")[2].partition("</Code>")[0]


def made_zip(names):
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        for name in names:
            archive.writestr(name, PHOTOS[0].read_bytes()[:2000])
    return target.getvalue()


def test_parts_go_to_the_other_origin_and_come_back_as_etags(emu, teleport):
    eid = teleport.create(size=10)["eid"]
    path = f"/api/v1/captures/{eid}/create-upload-url/1"
    answer = teleport.post(path, {"eid": eid, "bytesize": 10}).json()
    assert answer.keys() == {"eid", "upload_url", "chunk_size"}
    assert answer["upload_url"].startswith(emu.storage_url)
    stored = teleport.store.put(answer["upload_url"], content=b"0123456789")
    assert (stored.status_code, stored.headers["ETag"]) == (200, f'"{md5(b"0123456789")}"')


def test_an_upload_link_can_be_asked_for_again_and_is_new(teleport):
    eid = teleport.create()["eid"]
    assert teleport.link(eid, 2) != teleport.link(eid, 2)


@pytest.mark.parametrize("number", [0, 4, "x", "1.5"])
def test_a_part_that_is_none_is_refused(teleport, number):
    eid = teleport.create(size=3 * CHUNK)["eid"]
    path = f"/api/v1/captures/{eid}/create-upload-url/{number}"
    assert teleport.post(path, {"eid": eid, "bytesize": 5}).status_code == 422


@pytest.mark.parametrize(
    "body", [{}, {"eid": "{eid}"}, {"bytesize": 5}, {"eid": "other", "bytesize": 5}]
)
def test_an_upload_link_needs_eid_and_size(teleport, body):
    eid = teleport.create()["eid"]
    body = {name: eid if value == "{eid}" else value for name, value in body.items()}
    answer = teleport.post(f"/api/v1/captures/{eid}/create-upload-url/1", body)
    assert answer.status_code == 422


def test_an_unknown_capture_has_no_upload_link(teleport):
    body = {"eid": "nothing", "bytesize": 5}
    assert teleport.post("/api/v1/captures/nothing/create-upload-url/1", body).status_code == 404


def test_a_token_sent_along_with_a_part_is_refused(emu, teleport):
    link = teleport.link(teleport.create()["eid"], 1)
    headers = {"Authorization": teleport.http.headers["Authorization"]}
    answer = teleport.store.put(link, content=b"x", headers=headers)
    assert (answer.status_code, code(answer)) == (400, "InvalidArgument")
    assert emu.journal[-1].carried_token


def test_an_upload_link_is_good_for_one_part_one_method_and_a_while(emu, teleport, settings):
    eid = teleport.create()["eid"]
    link = httpx.URL(teleport.link(eid, 1))
    other = link.copy_with(path=f"/teleport-uploads/{eid}/2")
    refusals = [
        teleport.store.put(other, content=b"x"),
        teleport.store.post(link, content=b"x"),
        teleport.store.get(link),
        teleport.store.put(link.copy_set_param("X-Emu-Expires", "99999999999"), content=b"x"),
    ]
    assert [(r.status_code, code(r)) for r in refusals] == [(403, "SignatureDoesNotMatch")] * 4
    bare = teleport.store.put(link.copy_with(query=None), content=b"x")
    assert (bare.status_code, code(bare)) == (403, "AccessDenied")
    emu.clock.advance(settings.upload_link_lifetime_s)
    late = teleport.store.put(link, content=b"x")
    assert late.status_code == 403
    assert "Request has expired" in late.text


def test_an_expired_signature_can_be_ordered(emu, teleport):
    eid = teleport.create()["eid"]
    emu.faults.add(faults.expired_signature(), service="storage", method="PUT")
    assert teleport.store.put(teleport.link(eid, 1), content=b"x").status_code == 403
    assert teleport.store.put(teleport.link(eid, 1), content=b"x").status_code == 200


def test_a_part_without_its_length_is_refused(teleport):
    link = teleport.link(teleport.create()["eid"], 1)
    answer = teleport.store.put(link, content=iter([b"0123", b"456"]))
    assert (answer.status_code, code(answer)) == (501, "NotImplemented")


def test_a_checksum_sent_along_is_compared(teleport):
    link = teleport.link(teleport.create()["eid"], 1)
    right = base64.b64encode(hashlib.md5(b"x", usedforsecurity=False).digest()).decode()
    good = teleport.store.put(link, content=b"x", headers={"Content-MD5": right})
    bad = teleport.store.put(link, content=b"y", headers={"Content-MD5": right})
    assert (good.status_code, bad.status_code, code(bad)) == (200, 400, "BadDigest")


def test_a_part_can_be_sent_again(teleport, photos_zip):
    made = teleport.create(size=1)
    link = teleport.link(made["eid"], 1)
    teleport.store.put(link, content=b"a")
    teleport.store.put(link, content=b"b")
    path = f"/api/v1/captures/{made['eid']}/uploaded"
    for content, status in ((b"a", 400), (b"b", 200)):
        body = {"eid": made["eid"], "parts": [{"number": 1, "etag": md5(content)}]}
        assert teleport.post(path, body).status_code == status


def test_quoted_etags_are_taken_too(teleport):
    made = teleport.create(size=1)
    teleport.store.put(teleport.link(made["eid"], 1), content=b"a")
    body = {"eid": made["eid"], "parts": [{"number": 1, "etag": f'"{md5(b"a")}"'}]}
    path = f"/api/v1/captures/{made['eid']}/uploaded"
    assert teleport.post(path, body).status_code == 200


@pytest.mark.parametrize("numbers", [[1], [2, 1], [1, 1], [1, 2, 3], []])
def test_completing_needs_every_part_in_order(teleport, numbers):
    made = teleport.create(size=CHUNK + 1)
    eid = made["eid"]
    pieces = {1: b"x" * CHUNK, 2: b"y"}
    for number, piece in pieces.items():
        teleport.store.put(teleport.link(eid, number), content=piece)
    parts = [{"number": n, "etag": md5(pieces.get(n, b""))} for n in numbers]
    answer = teleport.post(f"/api/v1/captures/{eid}/uploaded", {"eid": eid, "parts": parts})
    assert answer.status_code == 400
    assert "ascending" in answer.json()["detail"]
    assert teleport.listed(eid)["state"] == "CREATED"


def test_completing_notices_a_part_of_the_wrong_size(teleport):
    eid = teleport.create(size=5)["eid"]
    teleport.store.put(teleport.link(eid, 1), content=b"1234")
    body = {"eid": eid, "parts": [{"number": 1, "etag": md5(b"1234")}]}
    answer = teleport.post(f"/api/v1/captures/{eid}/uploaded", body)
    assert (answer.status_code, answer.json()["detail"]) == (400, "Part 1 has 4 bytes")


def test_a_body_without_numbers_or_etags_is_refused_in_detail(teleport):
    eid = teleport.create(size=5)["eid"]
    body = {"eid": eid, "parts": [{"number": 1}, "x"]}
    answer = teleport.post(f"/api/v1/captures/{eid}/uploaded", body)
    assert answer.status_code == 422
    at = [problem["loc"] for problem in answer.json()["detail"]]
    assert at == [
        ["body", "parts", 0, "etag"], ["body", "parts", 1, "number"], ["body", "parts", 1, "etag"],
    ]  # fmt: skip


def test_completing_twice_gives_the_same_answer_and_starts_nothing_anew(emu, teleport, photos_zip):
    first = teleport.upload(photos_zip)
    assert first["state"] == "PROCESSING"
    emu.clock.advance(600)
    body = {"eid": first["eid"], "parts": [{"number": 1, "etag": "whatever"}]}
    again = teleport.post(f"/api/v1/captures/{first['eid']}/uploaded", body)
    assert again.json() == first
    emu.clock.advance(600)
    assert teleport.listed(first["eid"])["state"] == "READY"


def test_an_uploaded_capture_takes_no_more_parts(teleport, photos_zip):
    made = teleport.create(size=1)
    link = teleport.link(made["eid"], 1)
    teleport.store.put(link, content=b"a")
    body = {"eid": made["eid"], "parts": [{"number": 1, "etag": md5(b"a")}]}
    teleport.post(f"/api/v1/captures/{made['eid']}/uploaded", body)
    late = teleport.store.put(link, content=b"b")
    assert (late.status_code, code(late)) == (404, "NoSuchUpload")
    path = f"/api/v1/captures/{made['eid']}/create-upload-url/1"
    again = teleport.post(path, {"eid": made["eid"], "bytesize": 1})
    assert again.status_code == 400


def test_what_was_uploaded_is_kept_whole(emu, teleport, photos_zip):
    teleport.upload(photos_zip)
    kept = emu.service("teleport").captures[-1].upload
    assert kept.read_bytes() == photos_zip
    assert len(photos_zip) > 3 * CHUNK


@pytest.mark.parametrize(
    ("content", "form", "reason"),
    [
        (made_zip(["a.jpg", "sub/b.JPEG", "c.png"]), "bulk-images", None),
        (made_zip(["a.jpg", "b.jpg", "notes.txt"]), "bulk-images", "NOT_ENOUGH_FRAMES"),
        (b"no zip at all", "bulk-images", "INPUT_VALIDATION_FAILED"),
        (b"\x00\x00\x00\x18ftypmp42 and so on", "video", None),
        (made_zip(["a.jpg", "b.jpg", "c.jpg"]), "video", "CONVERSION_FAILED"),
        (b"\x00\x00\x00\x18ftypmp42 and so on", "commonformat-ios", "CONVERSION_FAILED"),
    ],
)
def test_the_upload_has_to_be_what_was_announced(teleport, content, form, reason):
    assert teleport.finish(content, form=form)["error_reason"] == reason


def test_too_many_photos_are_refused(teleport, settings):
    settings.max_frames = 3
    capture = teleport.finish(made_zip([f"{n}.jpg" for n in range(4)]))
    assert capture["error_reason"] == "INPUT_VALIDATION_FAILED"


def test_without_the_format_an_upload_ends_in_error(teleport):
    content = made_zip(["a.jpg", "b.jpg", "c.jpg"])
    body = {"name": "a.zip", "bytesize": len(content)}
    eid = teleport.post("/api/v1/captures", body).json()["eid"]
    stored = teleport.store.put(teleport.link(eid, 1), content=content)
    parts = [{"number": 1, "etag": stored.headers["ETag"]}]
    teleport.post(f"/api/v1/captures/{eid}/uploaded", {"eid": eid, "parts": parts})
    teleport.emulator.clock.advance(1200)
    assert teleport.listed(eid)["state"] == "ERROR"
