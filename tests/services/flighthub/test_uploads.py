"""Photos on their way to FlightHub's storage: batches, parts, and credentials that expire."""

from __future__ import annotations

import hashlib
import logging

import pytest

import cupixgeo as cx
from cupixgeo.emulator import faults
from cupixgeo.emulator.world import data_folder
from cupixgeo.errors import StartOverError
from cupixgeo.services.flighthub import upload
from cupixgeo.services.ledger import Phase
from tests.services.contract import JobContract
from tests.services.flighthub.seen import calls, remote_of

ENOUGH_S = 60.0
CALLBACK = "/open_model/stores/upload_callback"


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
