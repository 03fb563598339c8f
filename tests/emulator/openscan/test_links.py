import hashlib
import io
import zipfile

import httpx
import pytest
from PIL import Image

from cupixgeo.emulator import faults
from cupixgeo.emulator.openscan.links import content_hash


@pytest.fixture
def link(openscan, photos_zip):
    return openscan.create(photos_zip).json()["ulink"][0]


def test_a_link_takes_one_upload_and_answers_with_its_hash(emu, openscan, photos_zip, link):
    assert link.startswith(f"{emu.storage_url}/apitul/1/")
    answer = openscan.send(link, photos_zip)
    blocks = [photos_zip[n : n + 4194304] for n in range(0, len(photos_zip), 4194304)]
    digest = b"".join(hashlib.sha256(block).digest() for block in blocks)
    assert answer.json() == {"content-hash": hashlib.sha256(digest).hexdigest()}
    again = openscan.send(link, photos_zip)
    assert (again.status_code, again.headers["Content-Type"]) == (410, "text/plain; charset=utf-8")
    assert "recently consumed" in again.text


def test_the_hash_goes_by_blocks_of_four_mebibytes():
    content = bytes(range(256)) * 40_000
    digests = [hashlib.sha256(content[n : n + 4194304]).digest() for n in (0, 4194304, 8388608)]
    assert content_hash(content) == hashlib.sha256(b"".join(digests)).hexdigest()
    assert content_hash(b"") == hashlib.sha256(b"").hexdigest()


def test_a_body_in_chunks_is_taken_as_openscan3_sends_it(openscan, photos_zip, link):
    pieces = (photos_zip[n : n + 65536] for n in range(0, len(photos_zip), 65536))
    answer = openscan.send(link, pieces)
    assert answer.json() == {"content-hash": content_hash(photos_zip)}


def test_credentials_are_ignored(openscan, photos_zip, link):
    answer = openscan.store.post(
        link,
        content=photos_zip,
        headers={"Content-Type": "application/octet-stream"},
        auth=("openscan", "free"),
    )
    assert answer.status_code == 200


def test_another_method_is_refused(openscan, photos_zip, link):
    assert openscan.store.put(link, content=photos_zip).status_code == 405
    assert openscan.store.get(link).status_code == 405


@pytest.mark.parametrize(
    ("kind", "status"),
    [("text/plain", 200), ("application/zip", 400), ("multipart/form-data", 400), ("", 400)],
)
def test_the_content_type_matters(openscan, photos_zip, link, kind, status):
    answer = openscan.store.post(link, content=photos_zip, headers={"Content-Type": kind})
    assert answer.status_code == status


def test_a_link_nobody_made_is_refused(openscan, link):
    assert openscan.send(f"{link}0", b"x").status_code == 409


def test_a_link_expires(emu, openscan, settings, photos_zip, link):
    emu.clock.advance(settings.upload_link_lifetime_s)
    answer = openscan.send(link, photos_zip)
    assert (answer.status_code, answer.text) == (410, "This link has expired.")


def test_a_link_can_be_made_to_expire(emu, openscan, photos_zip, link):
    emu.faults.add(faults.expired_signature(), service="storage", method="POST")
    assert openscan.send(link, photos_zip).status_code == 410


def test_a_part_that_is_too_large_is_refused(openscan, settings, photos_zip):
    settings.part_bytes = len(photos_zip) // 2 + 1
    link = openscan.create(photos_zip, parts=2).json()["ulink"][0]
    assert openscan.send(link, photos_zip).status_code == 409
    assert openscan.send(link, photos_zip[: settings.part_bytes]).status_code == 200


def test_links_are_repeated_in_the_project_s_info(openscan, photos_zip):
    made = openscan.create(photos_zip, parts=3).json()["ulink"]
    assert openscan.info()["ulink"] == made


def test_a_share_link_shows_a_page_until_the_download_is_asked_for(emu, openscan, photos_zip):
    link = httpx.URL(openscan.finish(photos_zip)["dlink"])
    assert link.params["dl"] == "0"
    assert openscan.store.get(link).text.startswith("<!doctype html>")
    redirect = openscan.store.get(link.copy_set_param("dl", "1"))
    assert redirect.status_code == 302
    assert zipfile.is_zipfile(io.BytesIO(openscan.store.get(redirect.headers["Location"]).content))
    assert openscan.store.get(f"{emu.storage_url}/scl/fi/nothing/a.zip?dl=1").status_code == 404


def test_the_link_can_be_a_page_around_a_share_link(openscan, settings, photos_zip):
    settings.link_shape = "page"
    page = httpx.URL(openscan.finish(photos_zip)["dlink"])
    assert page.path == "/openscan/result"
    assert openscan.store.get(page).headers["Content-Type"].startswith("text/html")
    assert httpx.URL(page.params["id"]).params["dl"] == "0"


def test_the_link_can_lead_to_the_file_itself(openscan, settings, photos_zip):
    settings.link_shape = "direct"
    answer = openscan.store.get(openscan.finish(photos_zip)["dlink"])
    assert answer.headers["Content-Type"] == "application/zip"


def test_the_link_can_come_later_than_the_word(emu, openscan, settings, photos_zip):
    settings.link_delay_s = 10.0
    info = openscan.finish(photos_zip)
    assert (info["status"], info["dlink"]) == ("processing done", "")
    emu.clock.advance(10)
    assert openscan.info()["dlink"]


def test_the_result_is_a_textured_mesh_of_the_real_scan_and_says_that_it_is_recorded(
    emu, openscan, settings, photos_zip
):
    settings.link_shape = "direct"
    content = openscan.store.get(openscan.finish(photos_zip)["dlink"]).content
    archive = zipfile.ZipFile(io.BytesIO(content))
    assert set(archive.namelist()) == {"model.obj", "model.mtl", "model.png", "RECORDED.txt"}
    lines = [line.split() for line in archive.read("model.obj").decode().splitlines()]
    vertices = [tuple(map(float, line[1:])) for line in lines if line[0] == "v"]
    corners = [int(c.split("/")[0]) for line in lines if line[0] == "f" for c in line[1:]]
    assert (min(corners), max(corners)) == (1, len(vertices))
    scan = emu.world.brighton.original_xyz
    size = scan.max(axis=0) - scan.min(axis=0)
    for axis in range(3):
        spread = max(v[axis] for v in vertices) - min(v[axis] for v in vertices)
        assert size[axis] * 0.5 < spread <= size[axis]
    assert b"map_Kd model.png" in archive.read("model.mtl")
    with Image.open(io.BytesIO(archive.read("model.png"))) as texture:
        assert texture.mode == "RGB"
        assert min(texture.size) > 200
    assert b"Recorded" in archive.read("RECORDED.txt")
