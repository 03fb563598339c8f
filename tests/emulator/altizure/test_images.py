"""Images on their way in: states on the clock, buckets that check, reasons for a refusal."""

import io
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import oss2
import pytest
from PIL import Image

from tests.emulator.altizure.conftest import PHOTOS, sha1

PHOTO = PHOTOS[0]
HAS = "mutation($pid: ID!, $sha: String!) { hasImage(pid: $pid, checksum: $sha) { id state name } }"
OSS = (
    "mutation($pid: ID!, $name: String!, $sha: String) { uploadImageOSS(pid: $pid,"
    " bucket: Shenzhen, filename: $name, type: JPEG, checksum: $sha) { %s } }"
)
STS = "sts { id secret token bucket endpoint expire }"
BY_URL = (
    "mutation($pid: ID!, $url: String!, $sha: String, $token: String) { uploadImageURL(pid: $pid,"
    " url: $url, checksum: $sha, token: $token) { id state name filename } }"
)


@pytest.fixture
def pid(alti):
    return alti.create(type="pro")


def test_states_follow_each_other_on_the_clock(alti, pid, clock):
    body = PHOTO.read_bytes()
    made = alti.register(pid, PHOTO.name, sha=sha1(body))
    image = made["image"]
    assert image["state"] == "Pending"
    assert image["name"] == PHOTO.name
    assert image["filename"] != PHOTO.name
    assert alti.mark("startImageUpload", image["id"])["state"] == "Uploading"
    answer = alti.put(made["url"], body, **{"Content-Type": "image/jpeg"})
    assert answer.status_code == 200
    seen = [alti.image(pid, image["id"])["state"]]
    for _ in range(4):
        clock.advance(0.5)
        seen.append(alti.image(pid, image["id"])["state"])
    assert seen == ["Uploaded", "Verifying", "Copying", "Ready", "Ready"]
    assert alti.project(pid)["numImage"] == 1
    assert alti.project(pid)["gigaPixel"] == pytest.approx(2073600 / 1e9)
    assert alti.fetch(alti.image(pid, image["id"])["url"]).content == body


def test_an_object_that_comes_before_its_start_mark_is_passed_over(alti, pid, clock, at):
    made = alti.register(pid, PHOTO.name)
    alti.put(made["url"], PHOTO.read_bytes())
    clock.advance(60)
    assert alti.image(pid, made["image"]["id"])["state"] == "Pending"
    at.rules.start_required = False
    alti.put(made["url"], PHOTO.read_bytes())
    clock.advance(60)
    assert alti.image(pid, made["image"]["id"])["state"] == "Ready"


def test_a_checksum_that_is_not_the_one_declared_makes_it_invalid(alti, pid, clock):
    made = alti.register(pid, PHOTO.name, sha="0" * 40)
    alti.mark("startImageUpload", made["image"]["id"])
    alti.put(made["url"], PHOTO.read_bytes())
    clock.advance(10)
    image = alti.image(pid, made["image"]["id"])
    assert image["state"] == "Invalid"
    assert "checksum" in image["error"][0]
    assert image["url"] is None


def test_what_is_no_picture_is_invalid(alti, pid):
    (id,) = alti.upload(pid, [b"not a picture"])
    assert alti.image(pid, id)["error"] == ["Extract Info Error: not a JPEG, PNG or TIFF image"]


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_png_and_tiff_are_taken_and_large_ones_count_by_their_pixels(alti, pid, kind):
    target = io.BytesIO()
    Image.new("L", (2000, 1500)).save(target, kind)
    (id,) = alti.upload(pid, [target.getvalue()])
    assert alti.image(pid, id)["state"] == "Ready"
    assert alti.project(pid)["gigaPixel"] == pytest.approx(0.003)


def test_the_worker_can_be_told_to_fail(alti, pid, at):
    at.rules.fail_image = "Resize Error"
    (id,) = alti.upload(pid, PHOTOS[:1])
    assert alti.image(pid, id)["error"] == ["Resize Error: as the emulator was told"]


def test_what_does_not_arrive_within_65_minutes_is_invalid(alti, pid, clock):
    made = alti.register(pid, PHOTO.name)
    clock.advance(64 * 60)
    assert alti.image(pid, made["image"]["id"])["state"] == "Pending"
    clock.advance(60)
    assert alti.image(pid, made["image"]["id"])["state"] == "Invalid"


def test_has_image_is_null_until_it_is_there_and_for_invalid_ones(alti, pid, clock):
    body = PHOTO.read_bytes()
    made = alti.register(pid, PHOTO.name, sha=sha1(body))
    assert alti.data(HAS, pid=pid, sha=sha1(body)) is None
    alti.mark("startImageUpload", made["image"]["id"])
    assert alti.data(HAS, pid=pid, sha=sha1(body)) is None
    alti.put(made["url"], body)
    assert alti.data(HAS, pid=pid, sha=sha1(body))["id"] == made["image"]["id"]
    assert alti.data(HAS, pid=alti.create(), sha=sha1(body)) is None


def test_an_invalid_image_may_be_sent_again(alti, pid, clock):
    body = PHOTO.read_bytes()
    alti.register(pid, PHOTO.name, sha=sha1(body))
    clock.advance(66 * 60)
    (id,) = alti.upload(pid, [PHOTO])
    assert alti.data(HAS, pid=pid, sha=sha1(body)) == {
        "id": id, "state": "Ready", "name": PHOTO.name,
    }  # fmt: skip


def test_a_minio_upload_keeps_the_original_name(alti, pid):
    made = alti.register(pid, PHOTO.name, cloud="Minio", bucket="Depot")
    assert made["image"]["filename"] == PHOTO.name
    assert "emu-altizure-depot" in made["url"]


def test_only_the_owner_uploads_and_not_into_an_imported_project(alti, other, pid):
    assert other.register(pid, PHOTO.name) is None
    assert alti.register("0" * 24, PHOTO.name) is None
    assert alti.register(alti.create(imported=True, modelType="CAD"), PHOTO.name) is None
    image = alti.register(pid, PHOTO.name)["image"]
    assert other.mark("startImageUpload", image["id"]) is None
    assert other.mark("doneImageUpload", image["id"]) is None


def test_images_are_found_by_their_hashed_name_and_listed(alti, pid):
    image = alti.register(pid, PHOTO.name)["image"]
    query = (
        "query($id: ID!, $f: String!) { project(id: $id) { imageByFilename(filename: $f) { id }"
        " allImages(first: 10, filter: All) { totalCount edges { node { id } } } } }"
    )
    project = alti.data(query, id=pid, f=image["filename"])
    assert project["imageByFilename"]["id"] == image["id"]
    assert project["allImages"]["edges"] == [{"node": {"id": image["id"]}}]


# -- buckets -------------------------------------------------------------------------------------


def test_a_signed_url_is_good_for_puts_for_three_hours(alti, pid, clock):
    url = alti.register(pid, PHOTO.name)["url"]
    assert alti.fetch(url).status_code == 403
    assert alti.put(url.split("?")[0], b"x").status_code == 403
    assert alti.put(url.replace("Signature=", "Signature=0"), b"x").status_code == 403
    elsewhere = url.replace("emu-altizure-paris", "emu-altizure-stockholm")
    assert alti.put(elsewhere, b"x").status_code == 403
    clock.advance(3 * 3600 - 1)
    assert alti.put(url, b"x").status_code == 200
    clock.advance(1)
    expired = alti.put(url, b"x")
    assert expired.status_code == 403
    assert b"<Code>AccessDenied</Code>" in expired.content


def test_a_fault_can_let_one_url_expire_early(alti, pid, emu):
    from cupixgeo.emulator import faults

    emu.faults.add(faults.expired_signature(), service="storage", method="PUT")
    first, second = (alti.register(pid, PHOTO.name)["url"] for _ in range(2))
    assert alti.put(first, b"x").status_code == 403
    assert alti.put(second, b"x").status_code == 200


def test_a_bucket_that_is_strict_refuses_the_services_headers(alti, pid, emu):
    url = alti.register(pid, PHOTO.name)["url"]
    emu.options.strict_storage = True
    assert alti.put(url, b"x", altitoken="t").status_code == 400
    assert alti.put(url, b"x").status_code == 200
    assert [e.carried_token for e in emu.journal.where(origin="storage")] == [True, False]


def bucket(sts, *, version=oss2.AUTH_VERSION_1, secret=None):
    auth = oss2.StsAuth(sts["id"], secret or sts["secret"], sts["token"], auth_version=version)
    session = oss2.Session()
    session.session.trust_env = False
    return oss2.Bucket(auth, sts["endpoint"], sts["bucket"], session=session, region="cn-shenzhen")


@pytest.mark.parametrize("version", [oss2.AUTH_VERSION_1, oss2.AUTH_VERSION_4])
def test_the_vendors_own_client_uploads_to_oss(alti, pid, clock, version):
    body = PHOTO.read_bytes()
    sts = alti.data(OSS % STS, pid=pid, name="any.jpg")["sts"]
    assert sts["expire"] == "2024-05-13T09:00:00Z"
    image = alti.data(OSS % "image { id filename }", pid=pid, name=PHOTO.name, sha=sha1(body))
    image = image["image"]
    alti.mark("startImageUpload", image["id"])
    put = bucket(sts, version=version).put_object(f"{pid}/{image['filename']}", body)
    assert put.status == 200
    clock.advance(10)
    assert alti.image(pid, image["id"])["state"] == "Uploading"  # until it is marked as done
    assert alti.mark("doneImageUpload", image["id"])["state"] == "Uploaded"
    clock.advance(10)
    assert alti.image(pid, image["id"])["state"] == "Ready"


def test_an_oss_image_marked_as_done_without_an_object_is_invalid(alti, pid, clock):
    image = alti.data(OSS % "image { id }", pid=pid, name=PHOTO.name)["image"]
    alti.mark("startImageUpload", image["id"])
    alti.mark("doneImageUpload", image["id"])
    clock.advance(10)
    assert alti.image(pid, image["id"])["error"] == ["Download Error: NoSuchKey"]


def test_temporary_credentials_write_below_their_project_for_an_hour_and_no_more(alti, pid, clock):
    sts = alti.data(OSS % STS, pid=pid, name="any.jpg")["sts"]
    good = bucket(sts)
    assert good.put_object(f"{pid}/a.jpg", b"x").status == 200
    for attempt in (
        lambda: good.put_object(f"{'0' * 24}/a.jpg", b"x"),
        lambda: good.get_object(f"{pid}/a.jpg"),
        lambda: good.delete_object(f"{pid}/a.jpg"),
        lambda: bucket(sts, secret="wrong").put_object(f"{pid}/a.jpg", b"x"),
    ):
        with pytest.raises(oss2.exceptions.OssError) as caught:
            attempt()
        assert caught.value.status == 403
    clock.advance(3600)
    with pytest.raises(oss2.exceptions.OssError) as caught:
        good.put_object(f"{pid}/a.jpg", b"x")
    assert caught.value.code == "SecurityTokenExpired"


def test_asking_for_credentials_alone_leaves_no_image_behind(alti, pid, at):
    alti.data(OSS % STS, pid=pid, name="any.jpg")
    assert not at.store.projects[pid].images
    at.rules.sts_leaves_image = True
    alti.data(OSS % STS, pid=pid, name="any.jpg")
    assert len(at.store.projects[pid].images) == 1


# -- by URL --------------------------------------------------------------------------------------


@pytest.fixture
def folder():
    """A web server on this computer that gives the first photo to those who show a token."""
    seen = []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            seen.append((self.path, self.headers.get("Authorization")))
            if "away" in self.path:
                self.send_response(302)
                self.send_header("Location", "http://192.0.2.1/")
                self.end_headers()
                return
            good = "free" in self.path or self.headers.get("Authorization") == "Bearer word"
            self.send_response(200 if good else 401)
            self.end_headers()
            self.wfile.write(PHOTO.read_bytes() if good else b"")

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}", seen
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_service_fetches_an_image_by_url_with_the_given_token(alti, pid, clock, folder):
    url, seen = folder
    image = alti.data(BY_URL, pid=pid, url=f"{url}/a%20b.jpg", token="word")
    assert (image["state"], image["name"]) == ("Pending", "a b.jpg")
    clock.advance(10)
    assert alti.image(pid, image["id"])["state"] == "Ready"
    assert seen == [("/a%20b.jpg", "Bearer word")]


@pytest.mark.parametrize("where", ["/locked.jpg", "/away.jpg", None])
def test_what_cannot_be_fetched_is_invalid_with_the_reason(alti, pid, clock, folder, where):
    url = folder[0] + where if where else "http://192.0.2.1/x.jpg"
    image = alti.data(BY_URL, pid=pid, url=url)
    clock.advance(10)
    shown = alti.image(pid, image["id"])
    assert shown["state"] == "Invalid"
    assert shown["error"][0].startswith("Download Error: ")
