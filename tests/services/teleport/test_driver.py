import os
import resource
import zipfile

import pytest

import cupixgeo as cx
from cupixgeo import errors
from cupixgeo.emulator import faults
from cupixgeo.emulator.wire import Response
from cupixgeo.net.settings import NetSettings
from cupixgeo.services.ledger import Ledger
from tests.services.teleport.stage import CHUNK

FORBIDDEN = faults.json_reply({"detail": "no"}, status=403)
EXPIRED = faults.json_reply({"detail": "expired"}, status=401)
ENOUGH_S = 60.0


@pytest.fixture
def service(emu):
    emulated = emu.service("teleport")
    emulated.settings.chunk_size = CHUNK
    return emulated


@pytest.fixture
def done(service, account, photos):
    """Launch and wait; everything passed on to the plan."""

    launched = []

    def done(photos=photos, **options):
        launched.append(account.plan(photos, name="Pier 4", **options).launch(workers=2))
        launched[-1].wait(ENOUGH_S)
        return launched[-1]

    yield done
    for job in launched:
        job.close()


def posted(service):
    (capture,) = service.captures
    return capture


def film(tmp_path, size=3 * CHUNK + 5):
    path = tmp_path / "flight.MP4"
    path.write_bytes(b"\x00\x00\x00\x18ftypmp42" + os.urandom(size - 12))
    return path


def test_photos_go_as_one_zip_of_bulk_images_under_the_job_s_own_name(service, done, photos):
    job = done()
    capture = posted(service)
    assert capture.form == "bulk-images"
    assert capture.name.startswith("Pier 4 cx-")
    assert capture.name.endswith(".zip")
    with zipfile.ZipFile(capture.upload) as archive:
        assert archive.testzip() is None
        assert sorted(archive.namelist()) == sorted(path.name for path in photos.iterdir())
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
    assert job.progress().service_state == "READY"


def test_a_film_goes_as_it_is(service, done, tmp_path):
    path = film(tmp_path)
    done(path)
    capture = posted(service)
    assert (capture.form, capture.part_count) == ("video", 4)
    assert capture.name.endswith(".mp4")
    assert capture.upload.read_bytes() == path.read_bytes()


def test_each_request_for_a_link_tells_the_size_of_the_whole(emu, service, done):
    done()
    assert emu.journal.where(path="*/create-upload-url/*", status=200)
    numbers = {int(e.path.rpartition("/")[2]) for e in emu.journal.where(path="*/create-upload-*")}
    assert numbers == set(range(1, posted(service).part_count + 1))


def test_training_parameters_arrive_as_they_were_meant(service, done):
    model = {
        "splat_count": 500_000, "training_resolution": 1600, "spherical_harmonics_degrees": 0,
        "level_of_detail": True,
    }  # fmt: skip
    corners = [(-92.0, 46.84), (-91.99, 46.84), (-91.99, 46.85)]
    done(focus_area=corners, crop_method="tight", modelv3=model)
    assert posted(service).parameters == {
        "focus_area": {
            "min_lat": 46.84, "min_lng": -92.0, "max_lat": 46.85, "max_lng": -91.99,
            "crop_method": "tight",
        },
        "modelv3": model,
    }  # fmt: skip


def test_parameters_nobody_documented_are_passed_on(emu, service, account, photos):
    plan = account.plan(photos, name="a", num_frames=5, guided_mode=False)
    body = plan.requests().set_index("purpose")["body"]["announce the capture"]
    assert (body["num_frames"], body["guided_mode"]) == (5, False)
    assert body["input_data_format"] == "bulk-images"


@pytest.mark.parametrize(
    "options", [{"quality": "best"}, {"modelv3": {}}, {"focus_area": [(0, 0)]}, {"crs": 32650}]
)
def test_a_plan_with_nonsense_is_refused_before_anything_is_sent(emu, account, photos, options):
    with pytest.raises(errors.ArgumentError):
        account.plan(photos, name="a", **options)
    assert len(emu.journal) == 0


def test_more_photos_than_the_plan_takes_are_refused_unless_it_is_known_better(
    emu, connect, photos
):
    plan = connect(assume={"max_photos": 4}).plan(photos, name="a")
    with pytest.raises(errors.LimitError, match="photos: 5"):
        plan.launch()
    assert (
        connect(assume={"max_photos": None, "max_bytes": None}).plan(photos, name="a").checks == ()
    )


def test_products_are_what_was_asked_for(service, done, tmp_path):
    job = done(products=["sogs", "splats", "cameras"], lod=True, quality="sd")
    table = job.inventory()
    assert sorted(zip(table["name"], table["kind"], strict=True)) == [
        ("cameras.json", "cameras"), ("sogs-1.zip", "splats"), ("sogs-2.zip", "splats"),
        ("splats-1.ply", "splats"), ("splats-2.ply", "splats"),
    ]  # fmt: skip
    results = job.results(tmp_path / "out")
    assert len(results.of("splats")) == 4
    assert len(results.of("cameras")) == 1


def test_a_part_that_arrives_spoilt_is_sent_again(emu, service, done):
    words = b"<Error><Code>BadDigest</Code><Message>Not what was sent.</Message></Error>"
    spoilt = faults.Fault("spoilt", reply=Response(400, (), words))
    emu.faults.add(spoilt, service="storage", method="PUT", times=2)
    done()
    assert len(emu.journal.where(fault="spoilt")) == 2
    assert posted(service).uploaded


def test_a_part_the_storage_refuses_stops_the_job(emu, service, done):
    emu.faults.add(faults.json_reply({}, status=400), service="storage", method="PUT", times=None)
    with pytest.raises(errors.ServiceError, match="did not take"):
        done()
    assert not posted(service).uploaded


def test_an_expired_link_is_asked_for_again_at_once(emu, service, done, pauses):
    emu.faults.add(faults.expired_signature(), service="storage", method="PUT", nth=2)
    done()
    assert len(emu.journal.where(origin="storage", method="PUT", status=403)) == 1
    parts = posted(service).part_count
    assert len(emu.journal.where(path="*/create-upload-url/*")) == parts + 1


def test_a_token_that_expires_mid_job_is_renewed(emu, service, done):
    service.settings.token_lifetime_s = 45.0
    emu.faults.add(EXPIRED, service="teleport", path="*/create-upload-url/*", nth=2)
    done()
    assert len(emu.journal.where(path="*/oauth2/token")) > 2


def test_a_storage_that_gives_no_etag_is_not_believed(emu, service, done):
    emu.faults.add(faults.json_reply({}), service="storage", method="PUT", times=None)
    with pytest.raises(errors.TransferError, match="no ETag"):
        done()
    assert service.captures[0].uploaded is None


def test_parts_that_do_not_fit_the_announcement_stop_the_job(emu, service, done):
    answer = faults.json_reply({"eid": "abc123", "chunk_size": 10, "num_parts": 2})
    emu.faults.add(answer, service="teleport", method="POST", path="/api/v1/captures")
    with pytest.raises(errors.JobError, match="2 parts of 10 bytes"):
        done()
    assert emu.journal.where(method="DELETE", path="*/abc123")


@pytest.mark.parametrize(
    ("reason", "says"),
    [
        ("NOT_ENOUGH_FRAMES", "more overlap"),
        ("SOMETHING_NEW", r"code SOMETHING_NEW\): it says|gives no reason"),
    ],
)
def test_a_failure_says_why_and_what_helps(service, done, reason, says):
    service.settings.outcome = reason
    with pytest.raises(errors.JobFailedError, match=says) as caught:
        done()
    assert reason in str(caught.value)


@pytest.fixture
def processing(service, account, photos):
    """A job whose capture is being processed, and will be until its stages are taken away."""
    service.settings.stages = (("PROCESSING", 1e9),)
    with account.plan(photos, name="Pier 4").launch() as job:
        while not (service.captures and service.captures[0].uploaded):
            assert job.is_active
        yield job


def test_a_capture_somebody_renamed_is_followed_all_the_same(service, account, processing):
    capture = posted(service)
    account.rename(capture.eid, "by hand")
    capture.stages = []
    assert processing.wait(ENOUGH_S).state == "done"


def test_a_capture_somebody_deleted_is_said_to_be_gone(service, account, processing):
    account.delete(posted(service).eid)
    with pytest.raises(errors.JobFailedError, match="not in the list any more"):
        processing.wait(ENOUGH_S)


def test_a_capture_that_is_not_listed_once_is_looked_for_again(emu, service, done):
    service.settings.ready_after_polls = 5
    emu.faults.add(faults.json_reply([]), service="teleport", path="/api/v1/captures",
                   method="GET", times=4)  # fmt: skip
    assert done().state == "done"


def test_a_film_of_six_gigabytes_is_planned_and_cut_in_little_memory(account, tmp_path):
    path = tmp_path / "long.mp4"
    with path.open("wb") as file:
        file.truncate(6 * 2**30)  # a hole: nothing of it is on disk
        file.seek(6 * 2**30 - 3)
        file.write(b"end")
    plan = account.plan(path, name="long")
    assert plan.problems == []
    assert plan.intent.bytes == 6 * 2**30
    driver = account.driver()

    class Job:
        intent, remote = plan.intent, {"chunk_size": 10_485_760}

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    (item,) = driver.items(Job())
    assert (len(item.parts), item.parts[0].number, item.parts[-1].number) == (615, 1, 615)
    body = driver.body(Job(), item, item.parts[-1])
    assert b"".join(body.chunks())[-3:] == b"end"
    assert body.size == 6 * 2**30 - 614 * 10_485_760
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 64 * 1024
    driver.close()


def test_settings_of_the_account_come_back_with_a_resumed_job(emu, service, connect, photos):
    emu.faults.add(FORBIDDEN, service="teleport", method="POST", path="/api/v1/captures")
    job = connect(assume={"max_photos": 7}).plan(photos, name="a").launch()
    with pytest.raises(errors.PermissionDeniedError):
        job.wait(ENOUGH_S)
    job.close()
    settings = NetSettings(now=emu.clock.now, sleep=emu.clock.advance)
    with cx.resume(job.id, token=emu.endpoint("teleport").token, settings=settings) as again:
        assert again.wait(ENOUGH_S).state == "done"
    with Ledger() as ledger:
        assert ledger.row(job.id).origin.options["assume"]["max_photos"] == 7
