"""The dashboard: what an account holds as table and map, linked; and one file of what is ticked."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from pyproj import Transformer

import cupixgeo as cx
from cupixgeo.emulator import Emulator, faults
from cupixgeo.errors import ArgumentError
from cupixgeo.widgets.dashboard import FIRST, LAYER, Dashboard
from cupixgeo.widgets.dashboard_places import subs_of
from tests.widgets.accounts import connect, few_photos, until

WAIT_S = 60.0
RECORD = 602


@pytest.fixture(scope="module")
def running():
    with Emulator(seed=7) as emulator:
        yield emulator


@pytest.fixture
def emu(running, tmp_path, monkeypatch):
    monkeypatch.setenv("CUPIXGEO_STATE", str(tmp_path / "state"))
    monkeypatch.chdir(tmp_path)
    running.faults.clear()
    yield running
    running.faults.clear()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


@pytest.fixture
def account(emu, cache):
    with connect(emu, "cupix", cache_dir=cache) as account:
        yield account


@pytest.fixture
def dashboard(account):
    """The pointclouds of the real scan, on the map."""
    made = Dashboard(account, table=account.pointclouds(record_id=RECORD))
    settle(made)
    yield made
    made.close()


def settle(dashboard):
    until(lambda: not dashboard.listing.is_busy and dashboard.map is not None)
    until(lambda: not dashboard.listing.is_busy)


def rows_of(dashboard, *ids):
    frame = dashboard.table.frame
    return tuple(frame.index[frame["id"].isin(ids)].tolist())


def merged(dashboard):
    dashboard.merging.button.click()
    assert dashboard.merging.errand.wait(WAIT_S)
    return dashboard._report


# -- the list --------------------------------------------------------------------------------------


def test_everything_the_account_holds_is_listed_and_placed(account):
    dashboard = Dashboard(account)
    settle(dashboard)
    listed = account.pointclouds()
    assert dashboard.table.frame["id"].tolist() == listed["id"].tolist()
    assert [column["name"] for column in dashboard.table.columns] == list(FIRST)
    placed = dashboard.map.tables[LAYER].set_index("id")
    truth = dashboard._account.placement(5310)
    to_degrees = Transformer.from_crs("EPSG:4978", "EPSG:4979", always_xy=True)
    lon, lat, _ = to_degrees.transform(*truth.apply(np.zeros((1, 3)))[0])
    assert placed.loc[5310, "lon_deg"] == pytest.approx(lon, abs=1e-9)
    assert placed.loc[5310, "lat_deg"] == pytest.approx(lat, abs=1e-9)
    assert placed.loc[5400:5500, "lon_deg"].between(5, 15).all()  # another continent
    dashboard.close()


def test_ten_thousand_rows_are_shown_with_a_few_rows_sent(account):
    few = account.pointclouds(record_id=RECORD)
    many = pd.concat([few] * 1200, ignore_index=True).head(10_000)
    many["id"] = np.arange(10_000)
    many.attrs = few.attrs
    dashboard = Dashboard(account, table=many)
    assert dashboard.table.total == 10_000
    assert len(dashboard.table.window["rows"]) < 100
    dashboard.close()


def test_a_service_that_does_not_answer_is_said(emu, account):
    emu.faults.add(faults.server_error(500), service="cupix", path="/pointclouds", times=50)
    dashboard = Dashboard(account)
    until(lambda: dashboard.message, WAIT_S)
    emu.faults.clear()
    dashboard.refresh()
    settle(dashboard)
    assert dashboard.table.length > 100
    dashboard.close()


# -- selection -------------------------------------------------------------------------------------


def test_ticked_rows_are_selected_on_the_map_and_the_other_way(dashboard):
    dashboard.select(rows_of(dashboard, 5310, 5311))
    assert set(dashboard.map.selection) == set(rows_of(dashboard, 5310, 5311))
    dashboard.map.select(rows_of(dashboard, 5312), LAYER)
    assert dashboard.table.selection == rows_of(dashboard, 5312)
    assert dashboard.selected["id"].tolist() == [5312]


def test_a_group_stands_for_its_subs(dashboard):
    group = dashboard.table.frame.query("kind == 'group'").iloc[0]
    subs = dashboard.table.frame.query("parent_id == @group.id")["id"].tolist()
    dashboard.select(rows_of(dashboard, group["id"], subs[0]))
    assert dashboard._ids() == subs
    assert f"{len(subs)} pointclouds selected" in dashboard.merging.words.value


def test_tables_without_groups_are_taken_as_they_are():
    assert subs_of(pd.DataFrame({"id": [3, 4]}), [4, 3, 4]) == [4, 3]


def test_the_crs_that_is_suggested_is_that_of_what_is_selected(account):
    dashboard = Dashboard(account)
    settle(dashboard)
    dashboard.select(rows_of(dashboard, 5310))
    assert dashboard.merging.crs.value == "EPSG:32615"
    dashboard.select(rows_of(dashboard, 5401))
    assert dashboard.merging.crs.value == "EPSG:32632"
    dashboard.close()


# -- one file --------------------------------------------------------------------------------------


def test_what_is_ticked_becomes_one_file_on_map_and_scene(dashboard, account, monkeypatch, emu):
    assert dashboard.merging.button.disabled
    dashboard.select(rows_of(dashboard, 5310, 5321))
    report = merged(dashboard)
    assert dashboard.message == ""
    truth = emu.world.brighton
    assert report.points_kept == sum(len(truth.subs[id].original_indices) for id in (5310, 5321))
    assert report.crs.startswith("EPSG:32615")
    assert "merged" in dashboard.map.layers
    assert dashboard.scene is not None
    until(lambda: "It exists" in dashboard.merging._to.help)

    code = dashboard.code()
    monkeypatch.setenv("CUPIX_TOKEN", str(emu.endpoint("cupix").token))
    names = {}
    exec(compile(code, "code", "exec"), names)
    again = names["report"]
    assert (again.points_kept, again.bounds) == (report.points_kept, report.bounds)
    names["account"].close()


def test_the_area_on_the_map_cuts_the_file(dashboard, account):
    dashboard.select(rows_of(dashboard, 5310))
    whole = account.placement(5310)
    cloud = account.open(5310).cloud.place(whole).cloud.to_crs(32615)
    x, y = cloud["x"].to_numpy(), cloud["y"].to_numpy()
    west, east = np.quantile(x, [0.25, 0.75])
    box = [(west, y.min() - 9), (east, y.min() - 9), (east, y.max() + 9), (west, y.max() + 9)]
    dashboard.map.aoi = cx.widgets.Map(aoi=np.array(box), crs=32615).aoi
    assert dashboard.merging.cut.layout.display is None
    dashboard.merging.cut.value = True
    report = merged(dashboard)
    assert dashboard.message == ""
    inside = np.count_nonzero((x >= west) & (x < east))
    assert abs(report.points_kept - inside) < 50  # the map keeps an area to a centimetre
    assert "bounds=" in dashboard.code()
    dashboard.merging.crs.value = None
    dashboard.merging.button.click()
    assert "Choose an output CRS" in dashboard.message


def test_a_merge_can_be_stopped_and_leaves_nothing(dashboard, emu, account, tmp_path):
    dashboard.select(rows_of(dashboard, 5313))
    dashboard._account._cache_dir = tmp_path / "cold"
    emu.faults.add(faults.slow_body(0.05), service="storage", times=50)
    dashboard.merging.button.click()
    until(lambda: dashboard.merging.errand.is_busy)
    dashboard.merging.errand._stop.click()
    assert dashboard.merging.errand.wait(WAIT_S)
    assert "stopped" in dashboard.message
    assert not list(tmp_path.glob("*.laz"))
    until(lambda: not dashboard.merging.button.disabled)


def test_a_service_that_dies_during_a_merge_is_said_and_leaves_nothing(
    dashboard, emu, account, tmp_path
):
    dashboard.select(rows_of(dashboard, 5312))
    dashboard._account._cache_dir = tmp_path / "cold"
    emu.faults.add(faults.server_error(500), service="storage", times=500)
    assert merged(dashboard) is None
    assert "5312" in dashboard.message
    assert not list(tmp_path.glob("*.laz"))


@pytest.mark.parametrize(
    ("name", "says"),
    [("site.txt", ".laz, .las"), ("", ".laz, .las"), ("folder.laz", "is a folder")],
)
def test_a_wrong_output_is_said_beside_it(dashboard, tmp_path, name, says):
    (tmp_path / "folder.laz").mkdir()
    dashboard.select(rows_of(dashboard, 5310))
    dashboard.merging.to.value = name
    assert says in dashboard.merging._to.fault
    assert dashboard.merging.button.disabled
    dashboard.merging.to.value = "good.laz"
    assert not dashboard.merging.button.disabled


# -- other services --------------------------------------------------------------------------------


def test_a_service_without_jobs_shows_those_of_this_machine(dashboard):
    assert dashboard.jobs is None
    assert "cx.widgets.Launcher" in "".join(
        str(part.value) for part in dashboard.children[-4].children if hasattr(part, "value")
    )


@pytest.mark.parametrize(
    ("service", "holds"),
    [
        ("altizure", "projects"), ("flighthub", "running"), ("teleport", "captures"),
        ("nodeodm", "tasks"), ("openscan", ""),
    ],
)  # fmt: skip
def test_a_service_without_pointclouds_shows_what_it_has_and_its_jobs(emu, service, holds):
    with connect(emu, service) as account:
        dashboard = Dashboard(account)
        until(lambda: not dashboard.listing.is_busy)
        assert dashboard.message == ""
        assert dashboard.jobs is not None
        assert f"account.{holds}()" in dashboard.code() or not holds
        if holds:
            assert dashboard.table.length == len(getattr(account, holds)())
        dashboard.close()


def test_an_unknown_keyword_is_refused_with_the_nearest(account):
    with pytest.raises(ArgumentError, match="'table'"):
        Dashboard(account, tables=None)
    with pytest.raises(ArgumentError, match=r"cx\.connect"):
        Dashboard("cupix")


def test_where_nobody_runs_it_there_are_words_and_a_picture(dashboard):
    bundle = dashboard._repr_mimebundle_()
    assert "9 pointclouds" in bundle["text/plain"]
    assert bundle["image/png"]


def test_the_map_is_zoomed_to_what_is_selected(account):
    dashboard = Dashboard(account)
    settle(dashboard)
    dashboard.select(rows_of(dashboard, 5310, 5311))
    dashboard._zoom.click()
    south, west = dashboard.map.map.center
    assert (south, west) == pytest.approx((46.8427, -91.994), abs=0.002)
    assert dashboard.map.map.zoom >= 16
    dashboard.close()


def test_the_result_of_a_job_is_shown(emu, tmp_path):
    with connect(emu, "openscan") as account:
        photos = few_photos(tmp_path / "photos")
        account.plan(photos, name="Vase").launch().wait(WAIT_S)
        dashboard = Dashboard(account)
        (card,) = dashboard.jobs.cards.values()
        card._collect.click()
        assert card.errand.wait(WAIT_S)
        assert dashboard.result.scene is not None
        assert "job = cx.resume(" in dashboard.code()
        dashboard.close()
