"""The demo: five files from nothing, and the survey comes back to within the stored step."""

import json
from types import SimpleNamespace

import laspy
import numpy as np
import pandas as pd
import pytest

from cupixgeo import demo
from cupixgeo.emulator.world import world_of
from cupixgeo.errors import CupixGeoError, OutputError

SCAN = "data/brighton_beach/reference/model.laz"
FILES = ["map.html", "pointclouds.csv", "report.html", "report.json", "site.laz"]


@pytest.fixture(scope="module")
def told():
    return []


@pytest.fixture(scope="module")
def made(tmp_path_factory, told):
    return demo.run_demo(tmp_path_factory.mktemp("demo") / "a" / "b", progress=told.append)


def test_it_leaves_five_files_and_nothing_else(made):
    assert sorted(path.name for path in made.folder.iterdir()) == FILES


def test_every_point_of_the_survey_is_back_within_the_step(made):
    """Independent of the emulator's own record: the sorted coordinates are those of the scan."""

    def rows(path):
        steps = np.rint(laspy.read(path).xyz / 0.01).astype(np.int64)
        return steps[np.lexsort(steps.T)]

    assert np.array_equal(rows(made.folder / "site.laz"), rows(SCAN))
    assert made.worst_m <= 0.0006
    assert made.attributes_checked >= 12


def test_colours_come_with_their_points(made):
    def rows(path):
        las = laspy.read(path)
        steps = np.rint(las.xyz / 0.01).astype(np.int64).T
        columns = np.stack([*steps, las.red, las.green, las.blue, las.user_data])
        return columns[:, np.lexsort(columns)]

    assert np.array_equal(rows(made.folder / "site.laz"), rows(SCAN))


def test_the_list_and_the_report_agree(made):
    table = pd.read_csv(made.folder / "pointclouds.csv")
    report = json.loads((made.folder / "report.json").read_text())
    assert len(table) == made.pointclouds
    ids = {source["provenance"]["pointcloud_id"] for source in report["sources"]}
    assert ids <= set(table["id"])
    assert len(ids) == 7
    assert report["points_kept"] == 940_393
    assert report["scales"] == [0.001] * 3


def test_pages_show_the_sources_and_hold_no_token(made):
    report = (made.folder / "report.html").read_text()
    page = (made.folder / "map.html").read_text()
    for source in made.report.sources:
        assert source.name in report
        assert source.name in page
    for path in made.folder.iterdir():
        if path.suffix != ".laz":
            assert "emu-cupix" not in path.read_text()


def test_progress_is_told_stage_by_stage(made, told):
    stages = list(dict.fromkeys(progress.stage for progress in told))
    assert stages == ["list", "download", "open", "merge", "picture", "check"]
    for stage in stages:
        last = [progress for progress in told if progress.stage == stage][-1]
        assert last.done == last.total > 0


def test_its_last_lines_say_what_was_made_and_what_is_next(made):
    lines = str(made).splitlines()
    for name in FILES:
        assert any(str(made.folder / name) in line for line in lines)
    assert lines[-1].strip().startswith("cupixgeo ")
    assert made.seconds < 60


def test_a_folder_that_cannot_be_made_is_an_error(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OutputError, match="cannot make the folder"):
        demo.run_demo(tmp_path / "file" / "demo")


@pytest.mark.parametrize(
    ("shift", "colour", "problem"),
    [(0.001, 0, r"a point is 1\.00 mm off"), (0.0, 1, "its red differs")],
)
def test_a_wrong_result_is_not_passed_off_as_right(made, shift, colour, problem):
    truth = world_of(demo.SEED).brighton
    survey = SimpleNamespace(
        subs=truth.subs,
        original_path=truth.original_path,
        original_xyz=truth.original_xyz + shift,
        attribute=lambda name: truth.attribute(name) + (colour if name == "red" else 0),
    )
    with pytest.raises(CupixGeoError, match=problem):
        demo._compare(made.report, survey, lambda progress: None)
