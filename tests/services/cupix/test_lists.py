"""What the account lists, over real sockets, whatever happens to the requests."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from cupixgeo.emulator import faults
from cupixgeo.errors import (
    ArgumentError,
    AuthenticationError,
    BadRequestError,
    ConnectionFailedError,
    NotFoundError,
    PermissionDeniedError,
    RateLimitError,
    ResponseError,
    ServerError,
)
from cupixgeo.services.cupix import schema


@pytest.fixture
def ids(emu):
    return emu.world.cupix.ids


def test_pointclouds_are_a_table_with_groups_and_subs(account, ids, emu):
    table = account.pointclouds(record_id=ids.record)
    declared = [column.name for column in schema.POINTCLOUDS.columns]
    assert list(table.columns)[: len(declared)] == declared
    subs = table[table["kind"] == "sub"]
    assert sorted(subs["id"]) == sorted(emu.world.brighton.subs)
    for _, sub in subs.iterrows():
        truth = emu.world.brighton.subs[sub["id"]]
        assert sub["parent_id"] == truth.group_id
        assert sub["cluster_id"] == truth.cluster_id
        assert sub["points_count"] == truth.point_count
        assert sub["filesize"] == truth.file_size
    assert table.attrs["columns"]["filesize"]["unit"] == "byte"
    assert str(table["updated_at"].dtype) == "datetime64[us, UTC]"


def test_every_request_names_its_fields(account, ids, emu):
    account.pointclouds(record_id=str(ids.record))
    account.facilities()
    account.levels(facility_key=ids.facility_key)
    account.records(facility_key=ids.facility_key)
    account.captures(record_id=ids.record)
    account.clusters(capture_id=ids.captures[0])
    account.panos(capture_id=ids.captures[0])
    account.pointcloud(ids.sub)
    account.me()
    account.placement(ids.sub)
    assert len(emu.journal) >= 10
    for entry in emu.journal:
        assert entry.status == 200
        assert entry.query["fields"].startswith("id,")


def test_filters_are_sent_and_obeyed(account, ids, emu):
    cluster = account.pointclouds(cluster_id=ids.scaled_cluster)
    assert set(cluster["id"]) == {5320, 5321, 5322, 5323}
    assert set(account.pointclouds(capture_id=ids.captures[0])["cluster_id"]) == {ids.cluster}
    made = account.pointclouds(record_id=ids.record, pointcloud_type="3d_reconstructed")
    assert set(made["pointcloud_type"]) == {"3d_reconstructed"}
    assert set(account.pointclouds(parent_id=ids.group)["parent_id"]) == {ids.group}


def test_a_choice_of_fields_is_what_is_asked_and_shown(account, ids, emu):
    table = account.pointclouds(record_id=ids.record, fields=["name", "permission", "cluster"])
    assert emu.journal[-1].query["fields"] == "id,name,permission,cluster"
    assert list(table.columns) == ["id", "name", "cluster_id", "cluster_name", "permission"]
    assert set(table["permission"]) == {"F"}


def test_more_than_a_page_is_read_to_its_end(connect, ids, emu):
    table = connect(per_page=30).pointclouds(record_id=ids.big_record)
    assert len(table) == 120
    assert table["id"].is_unique
    assert [entry.query["page"] for entry in emu.journal] == ["1", "2", "3", "4"]


def test_nothing_found_is_an_empty_table_with_its_columns(account, ids):
    table = account.pointclouds(record_id=ids.missing)
    assert len(table) == 0
    full = account.pointclouds(record_id=ids.record)
    declared = [column.name for column in schema.POINTCLOUDS.columns]
    assert list(table.columns) == declared
    assert table.dtypes.equals(full[declared].dtypes)


def test_a_tree_puts_each_sub_behind_its_group(account, ids):
    tree = account.pointcloud_tree(record_id=ids.record)
    groups = tree["id"].where(tree["kind"] == "group").ffill()
    assert (groups[tree["depth"] == 1] == tree["parent_id"][tree["depth"] == 1]).all()
    assert tree["kind"].tolist().count("group") == 2
    alone = account.pointcloud_tree(record_id=ids.record, pointcloud_type="uploaded")
    assert alone["depth"].tolist() == [0, 1, 1, 1, 1]


def test_one_pointcloud_is_a_series_and_its_meta_a_dict(account, ids):
    cloud = account.pointcloud(str(ids.sub))
    assert cloud["id"] == ids.sub
    assert cloud["kind"] == "sub"
    meta = account.meta(ids.sub)
    assert len(meta["prop"]["tm"]) == len(meta["prop"]["wtm"]) == 16
    assert "scale" in account.meta(ids.group)["prop"]


def test_facilities_show_their_georeference(account, ids):
    table = account.facilities().set_index("id")
    assert table.loc[ids.facility, "key"] == ids.facility_key
    assert table.loc[ids.facility, "bearing_deg"] == 23.5
    assert table.loc[ids.big_facility, "epsg_code"] == "32632"
    assert np.isnan(table.loc[ids.big_facility, "lat_deg"])
    assert pd.isna(table.loc[ids.local_facility, "epsg_code"])


def test_the_rest_of_the_model_is_listed_too(account, ids):
    assert account.levels(facility_key=ids.facility_key)["elevation"].tolist() == [0.0]
    records = account.records(facility_key=ids.facility_key)
    assert records["id"].tolist() == [ids.record]
    captures = account.captures(record_id=ids.record)
    assert tuple(captures["id"]) == ids.captures
    clusters = account.clusters(capture_id=ids.captures[0])
    assert clusters["id"].tolist() == [ids.cluster]
    assert len(account.me()) == 1


def test_an_id_that_is_none_sends_nothing(account, emu):
    for call in (account.placement, account.meta, account.open, account.pointcloud):
        with pytest.raises(ArgumentError):
            call("../me")
    with pytest.raises(ArgumentError):
        account.levels(facility_key="a&b=c")
    with pytest.raises(ArgumentError):
        account.pointclouds(record_id="602&per_page=1")
    assert len(emu.journal) == 0


# -- panos ---------------------------------------------------------------------------------------


def test_panos_lie_where_their_cameras_measured(account, ids):
    table = account.panos(capture_id=ids.captures[0])
    aligned = table.dropna(subset=["x"])
    assert 0 < len(aligned) <= len(table)
    # The photos were put where their GPS says, by PROJ's own topocentric pipeline.
    np.testing.assert_allclose(aligned["lon_deg"], aligned["gps_lon_deg"], atol=1e-10)
    np.testing.assert_allclose(aligned["lat_deg"], aligned["gps_lat_deg"], atol=1e-10)
    np.testing.assert_allclose(aligned["height_m"], aligned["gps_alt_m"], atol=1e-5)
    assert table.attrs["columns"]["x"]["unit"] == "m"
    assert table.attrs["columns"]["lat_deg"]["unit"] == "deg"


def test_a_pano_that_is_not_aligned_is_listed_without_a_pose(account, ids):
    table = account.panos(ids=range(ids.first_pano, ids.first_pano + 18))
    assert len(table) == 18
    lost = table[table["cluster_id"].isna()]
    assert len(lost) == 3
    assert lost[["x", "y", "z", "qw", "lon_deg", "height_m"]].isna().all(axis=None)
    assert len(account.panos(ids=[])) == 0
    assert list(account.panos(ids=[]).columns[-3:]) == ["lon_deg", "lat_deg", "height_m"]


def test_two_thousand_panos_in_a_projected_site_are_placed_at_once(connect, ids, emu):
    table = connect(per_page=1000).panos(capture_id=ids.big_captures[0])
    assert len(table) == 2000
    np.testing.assert_allclose(table["lon_deg"], table["gps_lon_deg"], atol=1e-10)
    np.testing.assert_allclose(table["lat_deg"], table["gps_lat_deg"], atol=1e-10)
    np.testing.assert_allclose(table["height_m"], table["gps_alt_m"], atol=1e-5)
    assert len(emu.journal.where(path="*/facilities/*")) == 1


def test_many_ids_are_asked_for_in_batches(account, ids, emu):
    chosen = range(ids.big_first_pano, ids.big_first_pano + 250)
    assert account.panos(ids=chosen)["id"].tolist() == list(chosen)
    asked = [entry for entry in emu.journal if entry.path.endswith("/panos")]
    assert [len(entry.query["ids"].split(",")) for entry in asked] == [100, 100, 50]


def test_poses_come_whatever_fields_are_chosen(account, ids):
    table = account.panos(capture_id=ids.captures[0], fields="name")
    assert list(table.columns) == [
        "id", "name", "x", "y", "z", "qx", "qy", "qz", "qw", "lon_deg", "lat_deg", "height_m",
    ]  # fmt: skip


# -- what can go wrong ---------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "kind", "status"),
    [
        (faults.json_reply({"result": {"code": "X1", "message": "m"}}, status=400), 400, 400),
        (faults.json_reply(None, status=401), 401, 401),
        (faults.rate_limited(), 429, 429),
        (faults.server_error(503), 503, 503),
        (faults.html_page(), 200, 200),
        (faults.truncated_json(), 200, 200),
        (faults.no_answer(), None, None),
        (faults.cut_body(20), None, None),
    ],
)
def test_each_failure_that_lasts_has_its_error(account, ids, emu, fault, kind, status):
    expected = {
        400: BadRequestError, 401: AuthenticationError, 429: RateLimitError, 503: ServerError,
        200: ResponseError, None: ConnectionFailedError,
    }[kind]  # fmt: skip
    emu.faults.add(fault, path="/pointclouds", times=None)
    with pytest.raises(expected, match="/pointclouds") as caught:
        account.pointclouds(record_id=ids.record)
    assert caught.value.status == status
    assert caught.value.service == "cupix"


def test_the_token_of_another_is_a_401(connect, emu, ids):
    stranger = connect(token="not-the-token-of-anybody")
    with pytest.raises(AuthenticationError, match="does not accept the token"):
        stranger.me()


def test_what_belongs_to_others_is_a_403_and_what_is_not_there_a_404(account, ids):
    with pytest.raises(PermissionDeniedError):
        account.pointcloud(ids.foreign_sub)
    with pytest.raises(PermissionDeniedError):
        account.pointclouds(record_id=ids.foreign_record)
    with pytest.raises(NotFoundError, match=str(ids.missing)):
        account.pointcloud(ids.missing)


@pytest.mark.parametrize(
    "fault",
    [
        faults.rate_limited(retry_after_s=7),
        faults.server_error(500),
        faults.no_answer(),
        faults.cut_body(20),
    ],
)
def test_a_failure_that_passes_is_not_noticed(account, ids, emu, pauses, fault):
    emu.faults.add(fault, path="/pointclouds", times=2)
    assert len(account.pointclouds(record_id=ids.record)) == 9
    assert len(pauses) == 2
    if fault.name == "rate_limited":
        assert pauses == [7.25, 7.25]


def test_a_failure_in_the_middle_of_the_pages_is_not_noticed(connect, ids, emu):
    emu.faults.add(faults.server_error(502), path="/pointclouds", nth=3)
    assert len(connect(per_page=30).pointclouds(record_id=ids.big_record)) == 120


def test_a_body_that_stalls_ends_in_time(connect, settings, ids, emu):
    emu.faults.add(faults.slow_body(0.6), path="/me", times=None)
    quick = connect(settings=replace(settings, read_timeout_s=0.1, attempts=2))
    with pytest.raises(ConnectionFailedError, match="ReadTimeout"):
        quick.me()


def test_a_body_that_drips_ends_in_time(connect, settings, ids, emu):
    emu.faults.add(faults.slow_body(0.05, chunk=8), path="/me", times=None)
    quick = connect(settings=replace(settings, answer_timeout_s=0.2, attempts=1))
    with pytest.raises(ConnectionFailedError, match=r"not whole after 0\.2 s"):
        quick.me()


def test_a_null_list_is_not_an_empty_one(account, ids, emu):
    emu.faults.add(faults.json_reply({"result": {"data": None}}), path="/pointclouds")
    with pytest.raises(ResponseError, match="without a list"):
        account.pointclouds(record_id=ids.record)
