"""The 18 real photos: planned, launched, killed in the middle, resumed elsewhere, unpacked."""

import zipfile
from pathlib import Path

import pytest

import cupixgeo as cx
from cupixgeo.net.settings import NetSettings

PHOTOS = Path(__file__).parents[3] / "data/brighton_beach/images"
PART = 1 << 20


@pytest.fixture
def emu(emu):
    emu.service("openscan").settings.ready_after_polls = 3
    return emu


def test_a_survey_survives_a_dead_kernel_and_is_unpacked(emu, children, tmp_path):
    endpoint = emu.endpoint("openscan")
    connect = {
        "base_url": endpoint.base_url, "token": endpoint.token, "assume": {"part_bytes": PART},
    }  # fmt: skip
    child = children.start(service="openscan", connect=connect, photos=PHOTOS, options={})
    while len(emu.journal.where(origin="storage", method="POST", status=200)) < 4:
        assert child.is_alive, child.outcome
    child.kill()

    job_id = cx.jobs()["job_id"][0]
    again = children.start(service="openscan", connect=connect, job=job_id)
    assert again.wait() == {"job": job_id, "state": "done"}
    (project,) = emu.service("openscan").projects
    taken = emu.journal.where(origin="storage", method="POST")
    assert sum(entry.bytes_received for entry in taken) - project.filesize <= 2 * PART
    with zipfile.ZipFile(project.upload) as archive:
        assert archive.testzip() is None
        assert {name: archive.read(name) for name in archive.namelist()} == {
            path.name: path.read_bytes() for path in PHOTOS.iterdir()
        }

    settings = NetSettings(now=emu.clock.now, sleep=emu.clock.advance)
    with cx.resume(job_id, settings=settings, **connect) as job:
        results = job.results(tmp_path / "out")
    (mesh,) = results.of("mesh")
    assert mesh.read_text().count("\nv ") > 1000
    assert {path.suffix for path in results.of("texture")} == {".mtl", ".png"}
