"""Jobs at FlightHub: what the contract suite cannot know."""

from __future__ import annotations

import hashlib
import json
import logging
import zipfile

import pytest

import cupixgeo as cx
from cupixgeo.cloud.dataset import dataset_crs
from cupixgeo.emulator import faults
from cupixgeo.emulator.flighthub import Outcome
from cupixgeo.emulator.world import data_folder
from cupixgeo.errors import (
    BadRequestError,
    JobFailedError,
    LimitError,
    NotReadyError,
    StartOverError,
    UnclearJobError,
)
from cupixgeo.services.flighthub import upload
from cupixgeo.services.job_state import JobState
from cupixgeo.services.ledger import Ledger, Phase
from tests.services.contract import JobContract
from tests.services.jobs.conftest import make_photos

ENOUGH_S = 60.0
CALLBACK = "/open_model/stores/upload_callback"
START = "/open_model/models/reconstruction/start"


@pytest.fixture(autouse=True)
def own_ledger(state):
    return state


@pytest.fixture
def launch(account, photos):
    """Launch a job on small photos, and close it in the end."""
    launched = []

    def launch(using=None, folder=None, **options):
        defaults = {"name": "Pier 4", "products": ["las"]}
        plan = (using or account).plan(folder or photos, **{**defaults, **options})
        launched.append(plan.launch(workers=4))
        return launched[-1]

    yield launch
    for job in launched:
        job.close()


def calls(emu, path, method="POST"):
    return emu.journal.where(service="flighthub", method=method, path=f"*{path}")


def remote_of(job):
    with Ledger() as ledger:
        return ledger.row(job.id).remote


# -- planning ------------------------------------------------------------------------------------


def test_the_tasks_at_a_time_are_compared_with_the_edition(connect, service, photos, launch):
    service.rules.run_s = 1e9
    account = connect(edition="standard")
    launch(products=["las"])
    while not service.tasks.tasks:
        pass
    plan = account.plan(photos, name="x", products=["las", "orthophoto"])
    row = plan.limits().set_index("what").loc["tasks at the same time"]
    assert (row["value"], row["most"], row["ok"]) == (3, 2, False)
    with pytest.raises(LimitError, match="Nothing was sent"):
        plan.launch()
    assert account.plan(photos, name="x", products=["las"]).problems == []


@pytest.mark.parametrize(
    ("products", "count", "ok"),
    [(["las"], 4, False), (["splats"], 9, False), (["splats"], 10, True)],
)
def test_images_are_counted_by_kind(account, tmp_path, products, count, ok):
    folder = make_photos(tmp_path / "counted", count)
    assert account.plan(folder, name="x", products=products).limits()["ok"].all() == ok


def test_the_cost_is_counted_in_images_of_the_quota(account, photos):
    cost = account.plan(photos, name="x", products=["las", "orthophoto"]).cost
    assert (cost.amount, cost.unit, cost.available) == (10, "image of the quota", None)


def test_the_planned_requests_are_the_ones_that_are_sent(account, emu, photos):
    plan = account.plan(photos, name="x", crs=32615, products=["las"])
    planned = plan.requests()
    emu.journal.clear()
    with plan.launch() as job:
        job.wait(ENOUGH_S)
    sent = [e for e in emu.journal if e.origin == "api" and e.method == "POST"]
    posts = planned[planned["method"] == "POST"]
    assert [e.path.removeprefix("/openapi/v0.1/") for e in sent] == list(posts["path"])
    assert len(emu.journal.where(origin="storage", method="PUT")) == 5


# -- uploading -----------------------------------------------------------------------------------


@pytest.mark.parametrize("cloud", ["aws", "ALI_OSS"])
def test_the_real_photos_go_through_each_storage(rules, service, account, launch, cloud, tmp_path):
    rules.cloud_name = cloud
    folder = data_folder() / "images"
    job = launch(folder=folder, crs=32615, products=["pointcloud", "mesh", "orthophoto"])
    assert job.wait(ENOUGH_S).state == "done"
    resource = next(iter(service.uploads.resources.values()))
    stored = {name: hashlib.sha256(held.content).digest() for name, held in resource.files.items()}
    mine = {p.name: hashlib.sha256(p.read_bytes()).digest() for p in sorted(folder.glob("*.JPG"))}
    assert stored == mine
    assert resource.name.startswith("Pier 4 cx-")
    results = job.results(tmp_path / "out")
    assert {"pointcloud", "mesh", "orthophoto", "dsm", "report"} <= {f.kind for f in results.files}
    cloud = job.open_pointcloud()
    assert cloud.sizes["point"] > 1000
    assert (
        cloud.rio.crs if hasattr(cloud, "rio") else "32615" in cloud["spatial_ref"].attrs["crs_wkt"]
    )


def test_callbacks_are_made_in_batches_of_at_most_so_many_files(connect, emu, launch, photos):
    job = launch(using=connect(assume={"callback_files": 2}))
    assert job.wait(ENOUGH_S).state == "done"
    assert len(calls(emu, CALLBACK)) == 3


def test_a_batch_that_was_reported_without_a_reply_is_not_reported_again(
    connect, emu, launch, service
):
    emu.faults.add(faults.lost_reply(), service="flighthub", path=CALLBACK, nth=2)
    job = launch(using=connect(assume={"callback_files": 2}))
    assert job.wait(ENOUGH_S).state == "done"
    assert len(calls(emu, CALLBACK)) == 3
    assert len(next(iter(service.uploads.resources.values())).files) == 5


def test_a_batch_that_never_arrived_is_reported_again(connect, emu, launch, service):
    emu.faults.add(faults.no_answer(), service="flighthub", path=CALLBACK, nth=2)
    job = launch(using=connect(assume={"callback_files": 2}))
    assert job.wait(ENOUGH_S).state == "done"
    assert len(calls(emu, CALLBACK)) == 4


def test_an_importing_resource_is_waited_for(rules, launch, emu):
    rules.importing_s = 45
    job = launch()
    assert job.wait(ENOUGH_S).state == "done"
    assert len(calls(emu, "/resource/*", "GET")) >= 3


def test_files_of_many_parts_are_joined_and_reported_under_their_own_etag(
    connect, service, launch, photos, tmp_path, emu
):
    record = tmp_path / "flight.LDR"
    record.write_bytes(b"points " * 1_600_000)
    account = connect(assume={"whole_bytes": 1 << 20, "part_bytes": 5 << 20})
    emu.faults.add(faults.server_error(500), service="storage", path="*flight.LDR", nth=3)
    job = launch(using=account, products=["lidar"], lidar_files=[record])
    assert job.wait(ENOUGH_S).state == "done"
    resource = next(iter(service.uploads.resources.values()))
    held = resource.files["flight.LDR"]
    assert held.content == record.read_bytes()
    assert held.etag.endswith("-3")
    assert set(service.tasks.tasks[next(iter(service.tasks.tasks))].kind) == set("lidar")


def test_joining_parts_again_after_a_lost_reply_gives_the_same_etag(
    connect, service, launch, tmp_path, emu
):
    record = tmp_path / "flight.LDR"
    record.write_bytes(b"points " * 1_600_000)
    account = connect(assume={"whole_bytes": 1 << 20, "part_bytes": 5 << 20})
    emu.faults.add(faults.lost_reply(), service="storage", method="POST", path="*flight.LDR", nth=2)
    job = launch(using=account, products=["lidar"], lidar_files=[record])
    assert job.wait(ENOUGH_S).state == "done"
    assert next(iter(service.uploads.resources.values())).files["flight.LDR"].etag.endswith("-3")


@pytest.mark.parametrize("case", [str.lower, str.upper])
def test_the_etag_of_joined_parts_is_that_of_the_storage(case):
    parts = [hashlib.md5(b"a").hexdigest(), hashlib.md5(b"b").hexdigest()]
    joined = hashlib.md5(hashlib.md5(b"a").digest() + hashlib.md5(b"b").digest()).hexdigest()
    assert upload.joined_etag([case(part) for part in parts]) == f"{case(joined)}-2"


# -- credentials that expire ---------------------------------------------------------------------


def test_an_expired_credential_is_renewed_on_the_same_folder_where_the_storage_lets_it(
    rules, emu, launch, service
):
    rules.key_scope = "organization"
    emu.faults.add(faults.expired_signature(), service="storage", nth=3)
    job = launch()
    assert job.wait(ENOUGH_S).state == "done"
    assert len(calls(emu, "/obtain_token")) == 2
    (resource,) = service.uploads.resources.values()
    assert len(resource.files) == 5
    texts = job.history()["text"]
    assert texts.str.contains("another one is tried on the same folder").any()


def test_all_is_sent_again_where_another_credential_does_not_open_the_folder(
    rules, emu, launch, service
):
    emu.faults.add(faults.expired_signature(), service="storage", nth=3)
    job = launch()
    assert job.wait(ENOUGH_S).state == "done"
    (resource,) = service.uploads.resources.values()
    assert len(resource.files) == 5
    assert len(service.tasks.tasks) == 1
    assert job.history()["text"].str.contains("all files have to be sent again").any()


def test_a_line_too_slow_for_the_credential_ends_in_an_error_that_says_so(rules, emu, launch):
    emu.faults.add(faults.expired_signature(), service="storage", nth=3, times=None)
    job = launch()
    with pytest.raises(StartOverError, match="A faster line helps"):
        job.wait(ENOUGH_S)
    assert not job.state.is_final
    emu.faults.clear()


def test_starting_over_can_be_asked_for(connect, rules, emu, launch):
    rules.key_scope = "organization"
    emu.faults.add(faults.expired_signature(), service="storage", nth=3)
    job = launch(using=connect(assume={"on_expiry": "start over"}))
    assert job.wait(ENOUGH_S).state == "done"
    assert job.history()["text"].str.contains("have to be sent again").any()


def test_a_resumed_job_uses_the_folder_it_had_and_sends_nothing_twice(
    emu, account, launch, service
):
    job = JobContract.leave_at(launch(), Phase.UPLOADED)
    before = len(emu.journal.where(origin="storage", method="PUT"))
    with cx.resume(job.id, account=account) as again:
        assert again.wait(ENOUGH_S).state == "done"
    assert before == 5
    assert len(emu.journal.where(origin="storage", method="PUT")) == 5
    assert len(calls(emu, "/obtain_token")) == 1


@pytest.mark.parametrize("cloud", ["aws", "ali"])
def test_storage_credentials_are_sealed_in_the_ledger_and_logged_nowhere(
    emu, rules, launch, state, service, caplog, cloud
):
    caplog.set_level(logging.DEBUG)
    rules.cloud_name = cloud
    job = launch()
    job.wait(ENOUGH_S)
    kept = b"".join(path.read_bytes() for path in state.iterdir())
    keys = service.uploads.bucket().keys._keys.values()
    batches = service.uploads.batches.values()
    secrets = [text for key in keys for text in (key.secret_access_key, key.session_token)]
    secrets += [batch.callback_param for batch in batches]
    assert len(secrets) == 3
    for secret in (*secrets, emu.endpoint("flighthub").token):
        assert secret.encode() not in kept
        assert secret not in caplog.text
        assert secret not in job.history().to_csv()
    assert remote_of(job)["sealed"]


def test_another_token_of_the_organization_cannot_open_them_and_starts_over(
    emu, account, connect, launch, service
):
    job = JobContract.leave_at(launch(), Phase.LISTED)
    user = service.directory.users[0]
    from dataclasses import replace

    others = (replace(user, token="another-key"), *service.directory.users)
    service.directory.__dict__["users"] = others
    with cx.resume(job.id, account=connect(token="another-key")) as again:
        assert again.wait(ENOUGH_S).state == "done"
    assert len(service.tasks.tasks) == 1


# -- starting and following ----------------------------------------------------------------------


def test_a_start_without_an_answer_is_looked_up_by_resource_and_kind(emu, launch, service):
    emu.faults.add(faults.lost_reply(), service="flighthub", path=START)
    job = launch(products=["las", "orthophoto"])
    assert job.wait(ENOUGH_S).state == "done"
    assert len(calls(emu, START)) == 1
    assert set(remote_of(job)["models"]) == {"2d", "3d"}


def test_a_start_that_may_have_run_and_ended_is_unclear(emu, account, photos, service):
    plan = account.plan(photos, name="x", products=["las"])
    emu.faults.add(faults.lost_reply(), service="flighthub", path=START)
    emu.faults.add(
        faults.server_error(), service="flighthub", path="/open_model/models/running", times=None
    )
    with plan.launch() as job:
        while not service.tasks.tasks:
            assert job.is_active
        job.stop()
    emu.faults.clear()
    emu.clock.advance(100_000)
    again = cx.resume(job.id, account=account)
    with again, pytest.raises(UnclearJobError, match="start_again=True"):
        again.wait(ENOUGH_S)
    assert len(service.tasks.tasks) == 1


@pytest.mark.parametrize(
    ("outcome", "message"),
    [
        (Outcome(status=8, error_code=310001), "code 310001.*error guide"),
        (Outcome(status=13, error_code=77), "no machine was given, code 77"),
        (Outcome(zip_status=3), "archive could not be packed"),
    ],
)
def test_every_documented_end_is_told_with_its_reason(rules, launch, outcome, message):
    rules.outcome = outcome
    job = launch()
    with pytest.raises(JobFailedError, match=message):
        job.wait(ENOUGH_S)
    assert job.state is JobState.FAILED


def test_both_numbers_of_success_are_success(rules, launch):
    rules.outcome = Outcome(status=9)
    job = launch()
    assert job.wait(ENOUGH_S).state == "done"
    assert "map reconstruction succeeded (9), packed" in job.progress().service_state


def test_error_codes_can_be_given_a_meaning(connect, rules, launch):
    rules.outcome = Outcome(status=8, error_code=310001)
    job = launch(using=connect(code_texts={310001: "too little overlap"}))
    with pytest.raises(JobFailedError, match="too little overlap"):
        job.wait(ENOUGH_S)


def test_when_one_kind_fails_the_job_fails_and_says_how_to_get_the_other(
    emu, account, service, launch, tmp_path
):
    start = service.tasks.start

    def half(user, order, resource):
        made = start(user, order, resource)
        made[0].outcome = Outcome(status=8, error_code=310001)
        return made

    service.tasks.start = half
    job = launch(products=["las", "orthophoto"])
    with pytest.raises(JobFailedError, match="2d model was not made") as caught:
        job.wait(ENOUGH_S)
    uuid = remote_of(job)["models"]["3d"]
    assert f"account.download_model('{uuid}'" in str(caught.value)
    assert zipfile.is_zipfile(account.download_model(uuid, tmp_path))


def test_a_refusal_of_the_service_stops_the_job_with_its_code(rules, launch, emu):
    rules.quota_images = 4
    job = launch()
    with pytest.raises(BadRequestError, match="code 990003"):
        job.wait(ENOUGH_S)
    assert not job.state.is_final
    assert len(calls(emu, START)) == 1


def test_photos_nobody_can_read_fail_at_the_service(launch, photos, service):
    start = service.tasks.start

    def spoilt(user, order, resource):
        name = next(iter(resource.files))
        bucket = service.uploads.bucket()
        resource.files[name] = bucket._held(b"no picture")
        return start(user, order, resource)

    service.tasks.start = spoilt
    with pytest.raises(JobFailedError, match="310002"):
        launch().wait(ENOUGH_S)


def test_a_resource_somebody_deleted_ends_the_job(rules, launch, emu, service):
    rules.importing_s = 1e9
    job = launch()
    while not service.uploads.resources:
        assert job.is_active
    next(iter(service.uploads.resources.values())).delete_asked = True
    with pytest.raises(JobFailedError, match="somebody deleted it"):
        job.wait(ENOUGH_S)


def test_the_resource_is_deleted_after_the_job_where_that_was_asked_for(launch, service, account):
    launch(delete_resource_if_finish=True).wait(ENOUGH_S)
    (uuid,) = service.uploads.resources
    assert account.resource(uuid)["status"] == 3


def test_cancelling_stops_all_kinds_and_gives_the_quota_back(rules, launch, service, emu):
    rules.run_s = 1e9
    job = launch(products=["las", "orthophoto"])
    while len(service.tasks.tasks) < 2:
        assert job.is_active
    assert job.cancel(ENOUGH_S).state == "cancelled"
    assert len(calls(emu, "/reconstruction/stop")) == 2
    assert service.tasks.used(service.directory.users[0]) == 0


def test_cancelling_before_anything_was_reported_leaves_no_resource(launch, emu, service):
    emu.faults.add(
        faults.json_reply({"code": 200610, "message": "no"}), service="flighthub", path=CALLBACK
    )
    job = launch()
    with pytest.raises(BadRequestError):
        job.wait(ENOUGH_S)
    assert job.cancel(ENOUGH_S).state == "cancelled"
    assert not service.uploads.resources


# -- collecting ----------------------------------------------------------------------------------


@pytest.mark.parametrize("cloud", ["aws", "ali"])
def test_results_can_be_read_from_the_storage_where_credentials_allow_it(
    connect, rules, launch, tmp_path, cloud
):
    rules.cloud_name, rules.keys_may_read, rules.key_scope = cloud, True, "organization"
    account = connect(assume={"results_via": "store"})
    job = launch(using=account)
    job.wait(ENOUGH_S)
    assert job.results(tmp_path / "out").of("pointcloud")


def test_results_wait_for_their_archive(account, service, rules, launch):
    rules.zip_s = 1e9
    job = launch()
    while not service.tasks.tasks:
        assert job.is_active
    job.stop()
    driver = account.driver()
    from cupixgeo.services.job_record import LedgerRecord

    with Ledger() as ledger, pytest.raises(NotReadyError, match="no finished archive"):
        driver.products(LedgerRecord(ledger, job.id))
    driver.close()


@pytest.mark.parametrize("product", ["las", "point_ply"])
@pytest.mark.parametrize("crs", [32615, 32616])
def test_the_point_cloud_opens_in_the_crs_that_was_asked_for(launch, tmp_path, product, crs):
    job = launch(products=[product], crs=crs)
    job.wait(ENOUGH_S)
    cloud = job.results(tmp_path / "out").open_pointcloud()
    assert dataset_crs(cloud).to_epsg() == crs
    easting = float(cloud["x"].mean())
    assert (easting > 500_000) == (crs == 32615)


def test_heights_are_in_the_vertical_crs_that_was_asked_for(tmp_path):
    """The header of a DJI LAS says nothing about heights; the request does."""
    import laspy
    import numpy as np
    from pyproj import CRS

    from cupixgeo.services.flighthub.order import read_order
    from cupixgeo.services.flighthub.place import crs_of
    from cupixgeo.services.flighthub.settings import FlightHubSettings
    from cupixgeo.services.job_values import JobRequest

    header = laspy.LasHeader(version="1.4", point_format=6)
    header.scales, header.offsets = [0.001] * 3, [576_000, 5_188_000, 0]
    header.add_crs(CRS(32615))
    las = laspy.LasData(header)
    las.x, las.y, las.z = np.array([[576_000.0], [5_188_000.0], [160.0]])
    path = tmp_path / "cloud_merged.las"
    las.write(path)

    def asked(crs):
        return read_order(JobRequest("x", crs, ("las",), {}), FlightHubSettings())

    found = crs_of(asked("EPSG:32615+5773"), path, tmp_path, kind="3d")
    assert [part.to_epsg() for part in found.sub_crs_list] == [32615, 5773]
    assert crs_of(asked(32615), path, tmp_path, kind="3d") is None
    assert crs_of(asked("EPSG:32616+5773"), path, tmp_path, kind="3d") is None
    assert json.dumps(asked(32615))
