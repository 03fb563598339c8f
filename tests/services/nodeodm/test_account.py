import httpx
import pandas as pd
import pytest
from laspy import open as open_las

import cupixgeo as cx
from cupixgeo import errors
from cupixgeo.emulator import faults
from cupixgeo.services.nodeodm.account import NodeodmAccount


@pytest.fixture
def task(emu, node, photos):
    """A task that somebody else made, and that is completed."""
    return make_task(emu, node, photos, wait_s=900)


def make_task(emu, node, photos, *, wait_s=0.0, **fields):
    base_url, token = emu.endpoint("nodeodm")
    files = [("images", (path.name, path.read_bytes())) for path in sorted(photos.iterdir())]
    params = {"token": token}
    answer = httpx.post(f"{base_url}/task/new", params=params, files=files, data=fields)
    emu.clock.advance(wait_s)
    return answer.json()["uuid"]


# -- connecting ----------------------------------------------------------------------------------


def test_a_node_is_on_this_computer_unless_said_otherwise(monkeypatch):
    monkeypatch.setenv("NODEODM_TOKEN", "planted-in-the-environment")
    with cx.connect("nodeodm") as account:
        assert account.base_url == "http://localhost:3000"
        assert "environment variable NODEODM_TOKEN" in repr(account)
        assert "planted-in-the-environment" not in repr(account)


def test_a_node_without_token_is_used_without_one_and_nobody_is_asked(
    emu, node, connect, monkeypatch
):
    monkeypatch.delenv("NODEODM_TOKEN", raising=False)
    monkeypatch.setattr("getpass.getpass", lambda *_: pytest.fail("somebody was asked"))
    node.settings.requires_token = False
    base_url = emu.endpoint("nodeodm").base_url
    account = connect(emulator=None, base_url=base_url)
    assert account.info().engine == "odm"
    assert not any(entry.carried_token for entry in emu.journal)


def test_a_node_that_wants_a_token_says_so(emu, connect, monkeypatch):
    monkeypatch.delenv("NODEODM_TOKEN", raising=False)
    account = connect(emulator=None, base_url=emu.endpoint("nodeodm").base_url)
    with pytest.raises(errors.AuthenticationError, match="NODEODM_TOKEN") as caught:
        account.info()
    assert caught.value.status == 200
    assert caught.value.code == "Invalid authentication token"


def test_a_token_does_not_go_over_a_network_unencrypted_unless_said_so():
    with pytest.raises(errors.CredentialError, match="plain_http=True"):
        cx.connect("nodeodm", "planted-token", base_url="http://node.example:3000")
    with cx.connect(
        "nodeodm", "planted-token", base_url="http://node.example:3000", plain_http=True
    ) as account:
        assert account.reconnect_options() == {"plain_http": True}


def test_a_node_without_token_may_be_anywhere(monkeypatch):
    monkeypatch.delenv("NODEODM_TOKEN", raising=False)
    with cx.connect("nodeodm", base_url="http://node.example:3000") as account:
        assert account.base_url == "http://node.example:3000"


def test_a_token_in_the_address_is_refused_and_not_shown():
    with pytest.raises(errors.ArgumentError, match="leave out everything from the") as caught:
        NodeodmAccount(base_url="http://127.0.0.1:3000?token=planted-token")
    assert "planted-token" not in str(caught.value)


def test_there_are_no_regions():
    with pytest.raises(errors.ArgumentError, match="no regions"):
        cx.connect("nodeodm", region="eu")


# -- the node ------------------------------------------------------------------------------------


def test_the_node_tells_what_it_is(node, account):
    node.settings.max_images = 100
    info = account.info()
    assert (info.version, info.engine, info.max_images) == ("2.2.4", "odm", 100)
    assert info.total_memory == 16 * 2**30
    assert info.is_before(2, 3)
    assert not info.is_before(2, 2, 4)


def test_options_are_a_table_of_typed_parameters(account):
    table = account.options().set_index("parameter")
    assert len(table) > 70
    row = table.loc["orthophoto_resolution"]
    assert (row["type"], row["default"], row["range"]) == ("float", 5.0, "float > 0.0")
    assert table.loc["dsm", "default"] is False
    assert table.loc["mesh_size", "default"] == 200_000
    quality = table.loc["pc_quality"]
    assert quality["range"] == "ultra, high, medium, low, lowest"
    assert quality["help"].endswith(
        "Can be one of: ultra, high, medium, low, lowest. Default: medium"
    )


def test_help_is_the_same_from_nodes_that_fill_it_in_themselves(node, account):
    now = account.options()["help"]
    node.settings.version = "2.1.1"
    pd.testing.assert_series_equal(account.options()["help"], now)


# -- tasks ---------------------------------------------------------------------------------------


def test_tasks_are_a_table_with_times_that_have_a_zone(emu, node, account, photos):
    first = make_task(emu, node, photos, name="Pier 4")
    second = make_task(emu, node, photos)
    emu.clock.advance(450)
    table = account.tasks()
    assert list(table["uuid"]) == [first, second]
    assert list(table["state"]) == ["running", "queued"]
    assert list(table["status"]) == ["running", "queued"]
    assert table["name"][0] == "Pier 4"
    assert table["created"][0] == pd.Timestamp("2024-05-13 08:00", tz="UTC")
    assert table["processing_s"][0] == 450.0
    assert table["processing_s"].isna()[1]
    assert list(table["images"]) == [5, 5]


def test_no_tasks_are_an_empty_table_with_its_columns(account):
    table = account.tasks()
    assert table.empty
    assert {"uuid", "created", "state", "progress"} <= set(table.columns)
    assert str(table["created"].dtype).endswith("UTC]")


def test_a_task_tells_how_it_is_and_what_it_printed(emu, node, account, photos):
    uuid = make_task(emu, node, photos)
    emu.clock.advance(840)
    task = account.task(uuid)
    assert (task.code, task.word, task.state) == (20, "running", "running")
    emu.clock.advance(30)
    assert account.task(uuid).state == "finishing"
    lines = account.output(uuid)
    assert lines[0].endswith("Initializing ODM 3.5.6")
    assert account.output(uuid, line=-1) == lines[-1:]


def test_a_task_is_cancelled_restarted_and_removed(emu, node, account, task):
    account.restart(task, rerun_from="odm_meshing")
    assert account.task(task).options["rerun-from"] == "odm_meshing"
    account.cancel(task)
    assert account.task(task).state == "cancelled"
    account.remove(task)
    with pytest.raises(errors.NotFoundError, match="two days"):
        account.task(task)


def test_what_cannot_be_done_to_a_task_is_said(emu, node, account, photos):
    uuid = make_task(emu, node, photos)
    with pytest.raises(errors.NotReadyError, match="Cancel it first"):
        account.restart(uuid)
    with pytest.raises(errors.ArgumentError, match="rerun_from="):
        account.restart(uuid, rerun_fom="dataset")
    for verb in (account.cancel, account.remove, account.restart, account.task):
        with pytest.raises(errors.NotFoundError, match="not found"):
            verb("00000000-0000-4000-8000-000000000000")
    for nonsense in ("", "../info", "a b", "a/b"):
        with pytest.raises(errors.ArgumentError, match="no id of a task"):
            account.cancel(nonsense)


def test_commands_are_sent_once_whatever_happens_to_their_reply(emu, account, task):
    emu.faults.add(faults.lost_reply(), service="nodeodm", path="/task/restart")
    with pytest.raises(errors.ConnectionFailedError):
        account.restart(task)
    assert len(emu.journal.where(path="*/task/restart")) == 1


# -- downloads -----------------------------------------------------------------------------------


def test_the_whole_archive_is_downloaded(emu, account, task, tmp_path):
    seen = []
    path = account.download(task, tmp_path, progress=seen.append)
    assert path == tmp_path / "all.zip"
    assert seen[-1].done == seen[-1].total == path.stat().st_size


@pytest.mark.parametrize(
    "asset", ["georeferenced_model.laz", "odm_georeferencing/odm_georeferenced_model.laz"]
)
def test_a_single_file_is_taken_out_of_the_archive(emu, account, task, tmp_path, asset):
    path = account.download(task, tmp_path, asset=asset)
    assert path.name == asset.rpartition("/")[2]
    assert list(tmp_path.glob(".nodeodm*")) == []
    with open_las(path) as reader:
        assert reader.header.point_count == 940_393


def test_an_old_node_gives_out_the_orthophoto_by_itself(emu, node, account, task, tmp_path):
    node.settings.version = "1.5.3"
    path = account.download(task, tmp_path, asset="orthophoto.tif")
    assert path.read_bytes()[:2] == b"II"
    assert not emu.journal.where(path="*/all.zip")


def test_a_file_that_is_not_there_is_named_with_those_that_are(account, task, tmp_path):
    for asset in ("dsm.tif", "nonsense.bin", "../../etc/passwd"):
        with pytest.raises(errors.NotFoundError, match=r"odm_orthophoto\.tif"):
            account.download(task, tmp_path, asset=asset)
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_a_refusal_is_never_kept_as_a_file(emu, node, account, photos, tmp_path):
    uuid = make_task(emu, node, photos)
    (tmp_path / "out").mkdir()
    with pytest.raises(errors.NotReadyError, match="Wait until"):
        account.download(uuid, tmp_path / "out")
    with pytest.raises(errors.NotFoundError):
        account.download("nobody", tmp_path / "out", asset="dsm.tif")
    # also where nothing can be asked before the download
    emu.faults.add(faults.server_error(501), service="nodeodm", method="HEAD", times=None)
    with pytest.raises(errors.NotReadyError):
        account.download(uuid, tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_the_folder_has_to_be_there(account, task, tmp_path):
    with pytest.raises(errors.OutputError, match="is no folder"):
        account.download(task, tmp_path / "nowhere")
