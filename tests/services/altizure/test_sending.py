"""Every way a photo can travel ends with the same photo at the service, once."""

from __future__ import annotations

import functools
import threading
from http.server import HTTPServer, SimpleHTTPRequestHandler

import pytest

from cupixgeo import errors
from cupixgeo.emulator import faults

ENOUGH_S = 60.0


def project_of(at, job):
    return next(p for p in at.store.projects.values() if p.name.startswith("Pier cx-"))


def contents(project):
    return sorted(image.path.read_bytes() for image in project.usable_images)


@pytest.fixture
def folder(photos):
    """A web server that gives the photos to those who show the token."""

    class Handler(SimpleHTTPRequestHandler):
        def send_head(self):
            if self.headers.get("Authorization") != "Bearer planted-word":
                self.send_error(401)
                return None
            return super().send_head()

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=photos))
    thread = threading.Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize(
    ("upload", "bucket"),
    [
        ("auto", "emu-altizure-paris"),
        ("s3", "emu-altizure-paris"),
        ("minio", "emu-altizure-depot"),
        ("oss", "emu-altizure-shenzhen"),
    ],
)
def test_photos_arrive_whole_and_once(launch, photos, at, emu, upload, bucket):
    job = launch(upload=upload)
    assert job.wait(ENOUGH_S).state == "done"
    project = project_of(at, job)
    assert contents(project) == sorted(path.read_bytes() for path in photos.iterdir())
    assert len(project.images) == 4
    puts = emu.journal.where(origin="storage", method="PUT")
    assert len(puts) == 4
    assert all(entry.path.startswith(f"/{bucket}/{project.id}/") for entry in puts)
    assert not emu.journal.where(origin="storage", carried_token=True)


@pytest.mark.parametrize("upload", ["s3", "oss"])
def test_each_photo_is_looked_up_registered_and_marked_in_this_order(launch, emu, upload):
    launch(upload=upload).wait(ENOUGH_S)
    operations = [entry.operation or entry.method for entry in emu.journal]
    first = operations.index("hasImage")
    done = ["doneImageUpload"] if upload == "oss" else []
    register = "uploadImageOSS" if upload == "oss" else "uploadImageS3"
    counts = {name: operations.count(name) for name in ("hasImage", "startImageUpload", *done)}
    assert set(counts.values()) == {4}
    assert operations.index(register) > first
    assert operations.count(register) == (5 if upload == "oss" else 4)  # once for credentials
    assert operations.index("PUT") > operations.index("startImageUpload")
    if done:
        assert operations.index(done[0]) > operations.index("PUT")
    else:
        assert "doneImageUpload" not in operations


def test_a_bucket_can_be_chosen_also_one_that_is_not_near(launch, account, at, emu):
    launch(upload="s3", bucket="stockholm").wait(ENOUGH_S)
    puts = emu.journal.where(origin="storage", method="PUT")
    assert all("stockholm" in entry.path for entry in puts)
    job = launch(bucket="Atlantis")
    with pytest.raises(errors.ArgumentError, match=r"no bucket 'Atlantis'.*Paris \(S3\)"):
        job.wait(ENOUGH_S)


def test_the_service_fetches_photos_by_url_with_the_accounts_token(connect, launch, at, folder):
    account = connect(photo_token="planted-word")
    job = launch(account, upload="url", photo_url=folder)
    assert job.wait(ENOUGH_S).state == "done"
    assert len(contents(project_of(at, job))) == 4
    assert "planted" not in repr(vars(account)) + job.history().to_csv()


def test_photos_that_cannot_be_fetched_are_told_with_their_reason(launch, folder):
    job = launch(upload="url", photo_url=folder)
    with pytest.raises(errors.JobFailedError, match=r"can use 0 .* needs 3: .*401"):
        job.wait(ENOUGH_S)


def test_what_is_there_already_is_not_sent_again(launch, photos, at, emu):
    twin = photos / "P_9.jpg"
    twin.write_bytes((photos / "P_1.jpg").read_bytes())
    rule = emu.faults.add(faults.lost_reply(), service="storage", method="PUT")
    assert launch().wait(ENOUGH_S).state == "done"
    assert rule.fired == 1
    assert len(emu.journal.where(origin="storage", method="PUT")) <= 5


def test_a_link_that_has_expired_is_asked_for_anew(launch, at, emu):
    emu.faults.add(faults.expired_signature(), service="storage", method="PUT")
    job = launch()
    assert job.wait(ENOUGH_S).state == "done"
    assert len(project_of(at, job).usable_images) == 4


def test_credentials_that_have_expired_are_asked_for_anew(launch, at, emu):
    emu.faults.add(faults.expired_signature(), service="storage", method="PUT")
    job = launch(upload="oss")
    assert job.wait(ENOUGH_S).state == "done"
    assert len(emu.journal.where(operation="uploadImageOSS")) >= 6
    assert len(project_of(at, job).usable_images) == 4


def test_only_status_200_means_that_it_is_there(launch, emu):
    created = faults.Fault("created", edit=lambda r: type(r)(201, r.headers, r.body))
    rule = emu.faults.add(created, service="storage", method="PUT")
    assert launch().wait(ENOUGH_S).state == "done"
    assert rule.fired == 1


def test_a_file_that_is_no_photo_is_not_sent(launch, photos, emu, account):
    from cupixgeo.net.body import Body
    from cupixgeo.services.altizure.content import image_kind, media_type

    with pytest.raises(errors.TransferError, match=r"x\.jpg is no JPEG, PNG or TIFF"):
        image_kind(Body.from_bytes(b"GIF89a", name="x.jpg"))
    heads = {b"\x89PNG\r\n\x1a\n": "PNG", b"II*\0": "TIFF", b"MM\0*": "TIFF"}
    assert all(image_kind(Body.from_bytes(head)).name == kind for head, kind in heads.items())
    assert media_type(Body.from_bytes(b"a 1 2 3\n" * 100)) == "text/plain; charset=utf-8"
    assert media_type(Body.from_bytes(b"a 1 2 3\n")) == "application/octet-stream"
    assert media_type(Body.from_bytes(b"PK\x03\x04")) == "application/zip"


def test_a_token_that_ends_during_the_upload_stops_the_job_and_it_goes_on_with_a_new_one(
    launch, connect, at, emu
):
    import cupixgeo as cx

    refusal = {"data": {"hasImage": None}, "errors": [{"message": "Authentication Error"}]}
    rule = emu.faults.add(
        faults.json_reply(refusal),
        service="altizure",
        path="/graphql/hasImage",
        nth=2,
        times=None,
    )
    job = launch()
    with pytest.raises(errors.AuthenticationError, match="sign in again"):
        job.wait(ENOUGH_S)
    at.expire_token()
    emu.faults.clear()
    assert rule.fired
    again = connect(token=emu.endpoint("altizure").token)
    with cx.resume(job.id, account=again) as resumed:
        assert resumed.wait(ENOUGH_S).state == "done"
    assert len(project_of(at, job).usable_images) == 4
