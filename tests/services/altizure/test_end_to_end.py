"""The 18 real photos: planned, launched, killed during the upload, resumed, collected, opened."""

from __future__ import annotations

import time

import numpy as np
import pytest

import cupixgeo as cx
from cupixgeo.emulator.world import data_folder
from tests.services.altizure.stage import AltizureStage

PHOTOS = data_folder() / "images"
ENOUGH_S = 60.0


@pytest.fixture
def stage(emu):
    return AltizureStage(emu, PHOTOS)


def uploads(emu):
    return emu.journal.where(origin="storage", method="PUT", status=200)


@pytest.mark.parametrize("upload", ["auto", "oss"])
def test_a_killed_upload_is_resumed_and_the_mesh_is_that_of_the_site(
    stage, children, emu, tmp_path, upload
):
    order = {**stage.child(), "service": "altizure", "photos": PHOTOS, "workers": 1}
    child = children.start(**order, options={"upload": upload})
    end = time.monotonic() + ENOUGH_S
    while len(uploads(emu)) < 7 and time.monotonic() < end:
        time.sleep(0.001)
    child.kill()
    before = len(uploads(emu))
    assert 7 <= before < 18
    with stage.connect() as account, cx.resume(cx.jobs()["job_id"][0], account=account) as job:
        assert job.wait(ENOUGH_S).state == "done"
        results = job.results(tmp_path / "out")
    sizes = [path.stat().st_size for path in PHOTOS.iterdir()]
    assert sum(sizes) <= stage.uploaded() <= sum(sizes) + max(sizes)
    assert stage.made() == stage.started() == 1
    (project,) = stage._projects
    assert len(project.usable_images) == 18
    assert not emu.journal.where(origin="storage", carried_token=True)

    (tile,) = [path for path in results.of("mesh") if path.name == "tile_0_0_0.obj"]
    lines = tile.read_text().splitlines()
    vertices = np.array([line.split()[1:] for line in lines if line.startswith("v ")], dtype=float)
    scan = emu.world.brighton.original_xyz
    wanted = np.ptp(scan, axis=0)[:2]
    assert np.abs(np.ptp(vertices, axis=0)[:2] - wanted).max() < 8  # a cell of the coarsest tile
