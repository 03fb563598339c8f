"""An independent client, OpenDroneMap's own pyodm, drives the emulator over a socket."""

import uuid
import zipfile
from pathlib import Path

import pytest
from pyodm import Node, exceptions
from pyodm.types import TaskStatus

from cupixgeo.emulator import faults
from tests.emulator.nodeodm.conftest import PHOTOS

# pyodm reads times in a way that newer Pythons warn about.
pytestmark = pytest.mark.filterwarnings("ignore:datetime.datetime.utcfromtimestamp")


@pytest.fixture
def remote(emu, node):
    return Node.from_url(f"{emu.url}?token={node.token}", timeout=10)


def create(remote, photos=PHOTOS[:3], options=None, **more):
    return remote.create_task([str(photo) for photo in photos], options or {}, **more)


def test_pyodm_drives_18_photos_from_upload_to_assets(emu, node, remote, tmp_path):
    uploaded = []
    task = create(
        remote, PHOTOS, {"dsm": True, "pc-quality": "low"}, name="probe",
        progress_callback=uploaded.append,
    )  # fmt: skip
    assert uploaded[-1] == 100.0
    info = task.info()
    assert (info.name, info.images_count, info.status) == ("probe", 18, TaskStatus.RUNNING)
    trail = []

    def watch(info):
        trail.append(info.status.name)
        emu.clock.advance(450)

    task.wait_for_completion(status_callback=watch, interval=0)
    assert trail == ["RUNNING", "RUNNING", "COMPLETED"]
    folder = Path(task.download_assets(str(tmp_path / "out"), parallel_downloads=2))
    original = emu.world.brighton.original_path.read_bytes()
    assert (folder / "odm_georeferencing/odm_georeferenced_model.laz").read_bytes() == original
    assert (folder / "odm_dem/dsm.tif").stat().st_size > 1000
    for photo in PHOTOS:
        assert node.at.image(task.uuid, photo.name) == photo.read_bytes()


def test_pyodm_reads_the_node_and_its_options(remote):
    info = remote.info()
    assert (info.engine, info.max_images, info.task_queue_count) == ("odm", None, 0)
    assert remote.version_greater_or_equal_than("1.4.0")
    options = {option.name: option for option in remote.options()}
    assert options["orthophoto-resolution"].domain == "float > 0.0"
    assert options["pc-quality"].type == "enum"


def test_pyodm_chooses_the_id_restarts_cancels_and_removes(emu, remote):
    chosen = str(uuid.uuid4())
    task = create(remote, task_uuid=chosen, skip_post_processing=True, outputs=["cameras.json"])
    assert task.uuid == chosen
    with pytest.raises(exceptions.NodeResponseError, match="Invalid set-uuid"):
        create(remote, task_uuid=chosen)
    emu.clock.advance(900)
    assert task.restart({"rerun-from": "odm_meshing"})
    assert task.info(with_output=-1).status is TaskStatus.RUNNING
    assert task.output(-1)
    assert task.cancel()
    with pytest.raises(exceptions.TaskFailedError):
        task.wait_for_completion(interval=0)
    assert task.remove()
    with pytest.raises(exceptions.NodeResponseError, match="not found"):
        task.info()


def test_pyodm_hears_why_a_task_failed(emu, node, remote):
    node.at.settings.max_images = 2
    task = create(remote)
    assert task.info().status is TaskStatus.FAILED
    assert "can only process up to 2" in task.info().last_error
    with pytest.raises(exceptions.NodeResponseError, match="task status is"):
        task.download_zip("unused")


def test_pyodm_is_refused_with_a_wrong_token_and_with_bad_options(emu, remote):
    with pytest.raises(exceptions.NodeResponseError, match="token does not match"):
        Node.from_url(f"{emu.url}?token=another").info()
    with pytest.raises(exceptions.NodeResponseError, match="not in enum"):
        create(remote, options={"pc-quality": "best"})


def test_pyodm_sends_dropped_uploads_again(emu, node, remote):
    emu.faults.add(faults.server_error(500), service="nodeodm", path="*/upload/*", times=2)
    task = create(remote, retry_timeout=0)
    assert task.info().images_count == 3


def test_pyodm_without_a_reply_leaves_a_photo_twice(emu, node, remote, tmp_path):
    """What the node does with a second file of the same name, and why our client does not."""
    emu.faults.add(faults.lost_reply(), service="nodeodm", path="*/upload/*", times=1)
    task = create(remote, retry_timeout=0, parallel_uploads=1)
    assert task.info().images_count == 4
    emu.clock.advance(900)
    with zipfile.ZipFile(task.download_zip(str(tmp_path))) as bundle:
        assert "_.JPG" in bundle.read("task_output.txt").decode()
