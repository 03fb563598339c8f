"""The 18 real photos: planned, launched, killed in the middle, resumed elsewhere, opened."""

import time
from pathlib import Path

import pytest

import cupixgeo as cx
from cupixgeo.net.settings import NetSettings

PHOTOS = Path(__file__).parents[3] / "data/brighton_beach/images"


@pytest.fixture
def emu(emu):
    emu.service("flighthub").rules.every_nth_point = 50
    return emu


def test_a_survey_survives_a_dead_kernel_and_opens_where_it_was_flown(emu, children, tmp_path):
    endpoint = emu.endpoint("flighthub")
    connect = {"base_url": endpoint.base_url, "token": endpoint.token}
    order = {"products": ["pointcloud"]}
    child = children.start(
        service="flighthub", connect=connect, photos=PHOTOS, options=order, workers=1
    )
    while len(emu.journal.where(origin="storage", method="PUT", status=200)) < 4:
        assert child.is_alive, child.outcome
    child.kill()

    job_id = cx.jobs()["job_id"][0]
    again = children.start(service="flighthub", connect=connect, job=job_id, workers=1)
    while again.is_alive:
        emu.clock.advance(60)
        time.sleep(0.02)
    assert again.outcome == {"job": job_id, "state": "done"}
    service = emu.service("flighthub")
    assert (len(service.uploads.resources), len(service.tasks.tasks)) == (1, 1)
    sent = emu.journal.where(origin="storage", method="PUT", status=200)
    sizes = [path.stat().st_size for path in PHOTOS.iterdir()]
    assert sum(entry.bytes_received for entry in sent) - sum(sizes) <= max(sizes)

    settings = NetSettings(now=emu.clock.now, sleep=emu.clock.advance)
    with cx.resume(job_id, settings=settings, **connect) as job:
        cloud = job.results(tmp_path / "out").open_pointcloud()
    scan = emu.world.brighton.original_xyz
    low, high = cloud.cloud.bounds
    assert cloud.cloud.crs.to_epsg() == 32615
    assert (low >= scan.min(axis=0) - 0.01).all()
    assert (high <= scan.max(axis=0) + 0.01).all()
