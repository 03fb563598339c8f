"""Files come whole, once, under our own names; what cannot be had says why."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

import cupixgeo as cx
from cupixgeo.emulator import Emulator, faults
from cupixgeo.errors import (
    ArgumentError,
    CupixGeoWarning,
    NotFoundError,
    NotReadyError,
    OutputError,
    PermissionDeniedError,
    PlacementWarning,
    TransferError,
    TransformError,
)
from cupixgeo.geodesy.crs import frame_name
from cupixgeo.services.cupix.lookup import Lookup
from cupixgeo.services.cupix.pointcloud import Pointcloud


@pytest.fixture
def ids(emu):
    return emu.world.cupix.ids


@pytest.fixture
def subs(emu):
    return emu.world.brighton.subs


# -- download ------------------------------------------------------------------------------------


def test_an_uploaded_file_is_downloaded_byte_by_byte(account, ids, subs, emu, tmp_path):
    path = account.download(str(ids.sub), to=tmp_path)
    assert path == tmp_path / "5310.laz"
    assert path.read_bytes() == subs[ids.sub].file
    api, storage = emu.journal
    assert (api.path, api.carried_token) == ("/api/v1/pointclouds/5310/download", True)
    assert (storage.origin, storage.carried_token) == ("storage", False)


def test_the_storage_never_sees_the_token(account, ids, emu, tmp_path):
    emu.options.strict_storage = True
    try:
        account.download(ids.sub, tmp_path)
        account.download(ids.scaled_sub, tmp_path, kind="ply")
        account.open(ids.odd.ascii_ply)
    finally:
        emu.options.strict_storage = False
    stored = emu.journal.where(origin="storage")
    assert len(stored) == 3
    assert not any(entry.carried_token for entry in stored)


def test_each_kind_of_file_has_its_name(account, ids, subs, tmp_path):
    assert account.download(ids.scaled_sub, tmp_path).name == "5321.cpc"
    ply = account.download(ids.scaled_sub, tmp_path, kind="ply")
    assert ply.name == "5321.ply"
    assert ply.read_bytes() == subs[ids.scaled_sub].ply
    assert account.download(ids.scaled_sub, tmp_path, kind="readable") == ply
    assert account.download(ids.sub, tmp_path, kind="readable").name == "5310.laz"
    with pytest.raises(ArgumentError, match="kind='zip'"):
        account.download(ids.sub, tmp_path, kind="zip")


def test_a_name_of_the_server_chooses_no_path(account, ids, tmp_path):
    folder = tmp_path / "deep" / "down"
    folder.mkdir(parents=True)
    path = account.download(ids.odd.hostile_name, folder)
    assert path == folder / f"{ids.odd.hostile_name}.laz"
    everything = [p.relative_to(tmp_path) for p in tmp_path.rglob("*") if p.is_file()]
    assert len(everything) == 1


def test_a_group_has_no_file_and_its_subs_are_named(account, ids, tmp_path):
    for call in (
        lambda: account.download(ids.group, tmp_path),
        lambda: account.download(ids.group, tmp_path, kind="readable"),
        lambda: account.open(ids.group),
        lambda: account.sources(ids=[ids.group]),
    ):
        with pytest.raises(NotReadyError, match=r"pointcloud 5300 .*5310, 5311, 5312, 5313"):
            call()


def test_a_file_that_is_not_there_yet_says_so(account, ids, tmp_path):
    with pytest.raises(NotReadyError, match=r"pointcloud 5931 .*no file \(yet\)"):
        account.download(ids.odd.not_ready, tmp_path)
    with pytest.raises(NotReadyError, match="has no PLY"):
        account.download(ids.sub, tmp_path, kind="ply")
    with pytest.raises(NotReadyError, match=r"its PLY is not there \(yet\)"):
        account.open(ids.odd.not_ready)
    assert list(tmp_path.iterdir()) == []


def test_what_is_not_there_at_all_or_of_others_says_so(account, ids, tmp_path):
    with pytest.raises(NotFoundError):
        account.download(ids.missing, tmp_path)
    with pytest.raises(PermissionDeniedError):
        account.download(ids.foreign_sub, tmp_path)


def test_the_folder_has_to_be_one(account, ids, emu, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError, match="Give a folder"):
        account.download(ids.sub, tmp_path / "file")
    with pytest.raises(OutputError, match="does not exist"):
        account.download(ids.sub, tmp_path / "missing")
    assert len(emu.journal) == 0


def test_a_link_that_expires_midway_is_renewed_once_for_the_same_range(
    account, ids, subs, emu, tmp_path
):
    emu.faults.add(faults.expired_midway(400_000), service="storage")
    path = account.download(ids.sub, tmp_path)
    assert path.read_bytes() == subs[ids.sub].file
    assert len(emu.journal.where(path="*/pointclouds/5310/download")) == 2
    stored = emu.journal.where(origin="storage")
    assert [entry.status for entry in stored] == [200, 403, 206]
    assert stored[1].range == stored[2].range
    assert stored[2].range is not None


def test_a_link_that_is_too_old_is_renewed(account, ids, subs, emu, tmp_path, monkeypatch):
    """The link's time runs out between the answer of the service and the first byte."""
    location = account.session.location
    given = []

    def slow(path, **params):
        link = location(path, **params)
        if not given:
            emu.clock.advance(emu.options.link_lifetime_s + 1)
        given.append(link)
        return link

    monkeypatch.setattr(account.session, "location", slow)
    assert account.download(ids.sub, tmp_path).read_bytes() == subs[ids.sub].file
    assert len(given) == 2


@pytest.mark.parametrize(
    "fault",
    [
        faults.cut_body(400_000),
        faults.server_error(503, retry_after_s=2),
        faults.no_answer(),
        faults.wrong_length(+10),
    ],
)
def test_a_storage_that_fails_for_a_while_is_not_noticed(account, ids, subs, emu, tmp_path, fault):
    emu.faults.add(fault, service="storage", times=2)
    assert account.download(ids.sub, tmp_path).read_bytes() == subs[ids.sub].file


def test_a_body_that_stalls_is_continued(connect, settings, ids, subs, emu, tmp_path):
    emu.faults.add(faults.slow_body(0.5, chunk=300_000), service="storage")
    quick = connect(settings=replace(settings, read_timeout_s=0.1))
    assert quick.download(ids.sub, tmp_path).read_bytes() == subs[ids.sub].file


def test_a_page_in_place_of_the_file_is_refused(account, ids, emu, tmp_path):
    emu.faults.add(faults.html_page(), service="storage", times=None)
    with pytest.raises(TransferError, match="web page"):
        account.download(ids.sub, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_download_is_continued_by_the_next_account(connect, settings, ids, subs, emu, tmp_path):
    emu.faults.add(faults.cut_body(400_000), service="storage")
    with pytest.raises(TransferError, match="are kept"):
        connect(settings=replace(settings, attempts=1)).download(ids.sub, tmp_path)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["5310.part", "5310.part.json"]
    path = connect().download(ids.sub, tmp_path)
    assert path.read_bytes() == subs[ids.sub].file
    assert emu.journal[-1].status == 206
    assert [p.name for p in tmp_path.iterdir()] == ["5310.laz"]


# -- open ----------------------------------------------------------------------------------------


def test_open_gives_the_points_in_the_frame_of_the_sub(account, ids, subs):
    for sub_id in (ids.sub, ids.scaled_sub):
        cloud = account.open(sub_id)
        assert cloud.sizes["point"] == subs[sub_id].point_count
        assert frame_name(cloud.cloud.crs) == f"cupix:pointcloud/{sub_id}"
        ours = np.column_stack([cloud[axis].values[:1000] for axis in "xyz"])
        np.testing.assert_allclose(ours, subs[sub_id].file_xyz[:1000], atol=1e-6)


def test_what_was_opened_once_is_not_downloaded_again(connect, ids, emu):
    connect().open(ids.sub)
    stored = len(emu.journal.where(origin="storage"))
    connect().open(ids.sub)
    assert stored == len(emu.journal.where(origin="storage")) == 1


def test_what_the_service_changed_is_downloaded_again(account, ids, monkeypatch, emu):
    account.open(ids.sub)
    version = Pointcloud.version.fget
    monkeypatch.setattr(Pointcloud, "version", property(lambda self: version(self) + "x"))
    account.open(ids.sub)
    assert len(emu.journal.where(origin="storage")) == 2


def test_a_version_changes_with_what_the_service_says():
    facts = {"id": 1, "updated_at": "2024-03-05T16:40:07.918Z", "filesize": 10}
    one = Pointcloud.from_attributes(facts)
    assert one.version == Pointcloud.from_attributes({**facts, "name": "other"}).version
    assert one.version != Pointcloud.from_attributes({**facts, "filesize": 11}).version


# -- sources -------------------------------------------------------------------------------------


def test_sources_are_all_subs_placed_and_not_fetched_yet(account, ids, subs, emu):
    sources = account.sources(record_id=ids.record)
    assert emu.journal.where(origin="storage") == []
    assert [source.provenance["pointcloud_id"] for source in sources] == sorted(subs)
    for source in sources:
        sub_id = source.provenance["pointcloud_id"]
        assert source.label.startswith(f"{sub_id} Shore")
        assert frame_name(source.crs) == f"cupix:pointcloud/{sub_id}"
        assert source.transform == account.placement(sub_id)
        assert source.provenance["cluster_id"] == subs[sub_id].cluster_id
    steps = []
    path = sources[0].local_path(steps.append)
    assert path.read_bytes() == subs[sorted(subs)[0]].file
    assert steps[-1].stage == "download"
    assert steps[-1].fraction == 1.0


def test_sources_of_a_site_take_few_requests(account, ids, emu):
    assert len(account.sources(record_id=ids.big_record)) == 115
    assert len(emu.journal) <= 4


def test_sources_by_id_keep_their_order_and_ask_for_each_thing_once(account, ids, emu):
    sources = account.sources(ids=[5313, "5321", 5310])
    assert [source.provenance["pointcloud_id"] for source in sources] == [5313, 5321, 5310]
    paths = [entry.path for entry in emu.journal]
    assert len(paths) == len(set(paths)) == 3 + 2 + 1
    assert account.sources(ids=[]) == []
    with pytest.raises(ArgumentError, match="ids="):
        account.sources(ids=[5310], record_id=602)


def test_what_cannot_be_opened_is_left_out_with_a_word(account, ids, monkeypatch):
    odd = ids.odd
    chosen = [odd.not_ready, odd.ascii_ply, odd.hostile_name]
    monkeypatch.setattr(Lookup, "listed", lambda self, params: self.clouds(chosen))
    with pytest.warns(CupixGeoWarning, match=r"pointcloud 5931 \(In the making\) is left out"):
        sources = account.sources(record_id=ids.odd_record)
    assert [source.provenance["pointcloud_id"] for source in sources] == chosen[1:]
    with pytest.raises(NotReadyError, match="5931"):
        account.sources(ids=chosen)


def test_doubts_of_a_placement_are_said_and_kept_with_the_source(account, ids):
    with pytest.warns(PlacementWarning, match="bim_icp_tm"):
        (source,) = account.sources(ids=[ids.odd.bim_aligned])
    assert "bim_icp_tm" in source.provenance["doubts"][0]


def test_a_sub_that_cannot_be_placed_stops_all_and_is_named(account, ids):
    with pytest.raises(TransformError, match="pointcloud 5905"):
        account.sources(ids=[ids.odd.mirrored])


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"pointcloud_type": "uploaded", "entry_filename": "a.LAZ"}, "file"),
        ({"pointcloud_type": "uploaded"}, "file"),
        ({"pointcloud_type": "uploaded", "entry_filename": "a.e57"}, None),
        ({"pointcloud_type": "uploaded", "entry_filename": "a.e57", "ply_uploaded_at": "t"}, "ply"),
        ({"pointcloud_type": "uploaded", "resource_state": "uploading"}, None),
        ({"pointcloud_type": "3d_reconstructed", "ply_uploaded_at": "t"}, "ply"),
        ({"pointcloud_type": "3d_reconstructed"}, None),
        ({"entry_filename": "C:\\scans\\a.cpc"}, None),
        ({"kind": "group", "ply_uploaded_at": "t"}, None),
    ],
)
def test_which_file_can_be_opened(fields, kind):
    found, why = Pointcloud.from_attributes({"id": 1, **fields}).readable()
    assert found == kind
    assert bool(why) == (kind is None)


def test_what_was_opened_stays_readable_after_the_account_is_closed(settings, ids, subs):
    with (
        Emulator(seed=7) as emulator,
        cx.connect("cupix", emulator=emulator, settings=settings) as account,
    ):
        cloud = account.open(ids.sub)
    np.testing.assert_allclose(cloud["x"].values, subs[ids.sub].file_xyz[:, 0], atol=1e-6)
