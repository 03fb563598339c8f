"""The 18 real photos: planned, launched, killed in the middle, resumed elsewhere, opened."""

import zipfile
from pathlib import Path

import numpy as np
import pytest

import cupixgeo as cx
from cupixgeo.net.settings import NetSettings

PHOTOS = Path(__file__).parents[3] / "data/brighton_beach/images"
CHUNK = 1 << 20


@pytest.fixture
def emu(emu):
    settings = emu.service("teleport").settings
    settings.chunk_size, settings.ready_after_polls = CHUNK, 3
    return emu


def test_a_survey_survives_a_dead_kernel_and_opens_where_it_was_flown(emu, children, tmp_path):
    endpoint = emu.endpoint("teleport")
    connect = {"base_url": endpoint.base_url, "token": endpoint.token}
    child = children.start(service="teleport", connect=connect, photos=PHOTOS, options={})
    while len(emu.journal.where(origin="storage", method="PUT", status=200)) < 4:
        assert child.is_alive, child.outcome
    child.kill()

    job_id = cx.jobs()["job_id"][0]
    again = children.start(service="teleport", connect=connect, job=job_id)
    assert again.wait() == {"job": job_id, "state": "done"}
    (capture,) = emu.service("teleport").captures
    sent = emu.journal.where(origin="storage", method="PUT", status=200)
    assert sum(entry.bytes_received for entry in sent) - capture.size <= 2 * CHUNK
    with zipfile.ZipFile(capture.upload) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            path.name: path.read_bytes() for path in PHOTOS.iterdir()
        }

    settings = NetSettings(now=emu.clock.now, sleep=emu.clock.advance)
    with cx.resume(job_id, settings=settings, **connect) as job:
        results = job.results(tmp_path / "out")
    (splats,) = results.of("splats")
    cloud = cx.open(splats, crs=f"teleport:capture/{capture.eid}")
    assert cloud.sizes["point"] > 10_000
    scene = emu.service("teleport").metadata.scene
    back = np.linalg.inv(scene.truth)
    xyz = np.column_stack([cloud[name] for name in "xyz"])
    on_map = xyz @ back[:3, :3].T + back[:3, 3]
    scan = emu.world.brighton.original_xyz
    np.testing.assert_allclose(on_map.min(axis=0), scan.min(axis=0), atol=1.0)
    np.testing.assert_allclose(on_map.max(axis=0), scan.max(axis=0), atol=1.0)
    assert "teleport:capture" in cloud["spatial_ref"].attrs["crs_wkt"]
