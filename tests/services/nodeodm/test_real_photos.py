"""18 real photos, all the way: planned, launched, killed, resumed, collected, opened."""

import random
import threading
import time
from pathlib import Path

import numpy as np
import pytest

import cupixgeo as cx

PHOTOS = Path(__file__).parents[3] / "data" / "brighton_beach" / "images"


@pytest.fixture
def ticking(emu):
    """Time goes by at the node while another process waits for it."""
    ended = threading.Event()

    def tick():
        while not ended.wait(0.01):
            emu.clock.advance(10.0)

    thread = threading.Thread(target=tick)
    thread.start()
    yield
    ended.set()
    thread.join()


@pytest.mark.parametrize("seed", [1, 2])
def test_a_job_killed_during_the_upload_ends_with_exactly_the_18_photos(
    emu, node, connect, children, ticking, tmp_path, seed
):
    base_url, token = emu.endpoint("nodeodm")
    order = {"connect": {"base_url": base_url, "token": token}, "service": "nodeodm"}
    child = children.start(**order, photos=PHOTOS, options={"dsm": True}, workers=4)
    point = random.Random(seed).randint(1, 17)
    while child.is_alive and len(emu.journal.where(path="*/upload/*")) < point:
        time.sleep(0.0005)
    child.kill()
    (job_id,) = cx.jobs()["job_id"]

    ended = children.start(**order, job=job_id).wait()
    assert ended == {"job": job_id, "state": "done"}
    (task,) = node.tasks
    assert task.images == sorted(path.name for path in PHOTOS.iterdir())
    for path in PHOTOS.iterdir():
        assert node.image(task.uuid, path.name) == path.read_bytes()

    sizes = [path.stat().st_size for path in PHOTOS.iterdir()]
    sent = sum(entry.bytes_received for entry in emu.journal.where(path="*/upload/*"))
    assert sent - sum(sizes) <= 4 * max(sizes) + 20_000  # the four that were on their way

    job = cx.resume(job_id, account=connect())
    results = job.results(tmp_path / "out")
    kinds = set(results.table["kind"])
    assert {"pointcloud", "mesh", "texture", "orthophoto", "dsm", "cameras", "report"} <= kinds
    cloud = job.open_pointcloud()
    assert cloud.sizes["point"] == 940_393
    assert cx.cloud.dataset.dataset_crs(cloud).to_epsg() == 32615
    original = emu.world.brighton.original_xyz
    assert float(cloud["x"][1000]) == pytest.approx(original[1000, 0], abs=1e-6)
    assert np.isfinite(float(cloud["z"][-1]))
    job.close()


def test_a_plan_of_the_18_photos_says_what_would_be_sent(emu, account):
    plan = account.plan(PHOTOS, name="Brighton Beach", dsm=True, orthophoto_resolution=2)
    assert plan.preflight.count == 18
    requests = plan.requests()
    assert list(requests["repeats"]) == [1, 18, 1, 1, 1]
    body = requests["body"][0]
    assert body["name"].startswith("Brighton Beach cx-")
    assert '"orthophoto-resolution", "value": 2' in body["options"]
    assert plan.problems == []
    assert not emu.journal.where(method="POST")
