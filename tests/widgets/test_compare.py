"""Two captures compared: in one CRS, drawn alike, with distances that are true."""

import numpy as np
import pytest
import xarray as xr

import cupixgeo as cx
from cupixgeo.cloud.spatial_ref import dataset_crs, with_crs
from cupixgeo.errors import ArgumentError, FrameError
from cupixgeo.widgets.compare import Compare, alike, together
from cupixgeo.widgets.map_layers import Picture

UTM = 32615


def cloud(lift=0.0, crs=UTM, seed=0, colours=False, count=4000):
    rng = np.random.default_rng(seed)
    xyz = rng.uniform((576_680, 5_188_120, 200), (576_720, 5_188_150, 200.01), (count, 3))
    tower = (xyz[:, 0] < 576_690) & (xyz[:, 1] < 5_188_127)
    xyz[tower, 2] += lift
    coords = {axis: ("point", xyz[:, i]) for i, axis in enumerate("xyz")}
    names = ("red", "green", "blue") if colours else ()
    variables = {n: ("point", rng.integers(0, 255, count, dtype=np.uint16)) for n in names}
    return with_crs(xr.Dataset(variables, coords), crs)


def compared(*clouds, **options):
    shown = Compare(*clouds, **options)
    assert shown.wait(60)
    return shown


def test_what_was_built_is_found_and_measured():
    shown = compared(cloud(), cloud(lift=1.25), threshold_m=0.5)
    tower = 10 * 7 / (40 * 30)
    assert shown.changes["after"].changed == pytest.approx(tower, abs=0.01)
    assert shown.changes["after"].median_m == 0
    distances = shown.clouds["after"]["distance"]
    assert distances.attrs["units"] == "m"
    assert float(distances.max()) == pytest.approx(1.25, abs=0.02)
    assert "further than 0.5 m" in shown._figures.value
    assert shown.scene.color == "distance"
    assert shown.scene.shown == ("after",)


def test_what_is_further_than_was_looked_counts_as_changed_and_is_shown_as_that_far():
    shown = compared(cloud(), cloud(lift=30.0), max_distance_m=2.0)
    assert shown.changes["after"].beyond > 100
    assert float(shown.clouds["after"]["distance"].max()) == 2.0


def test_clouds_of_two_crss_are_brought_together_with_a_note():
    other = cloud().cloud.to_crs(26915)
    clouds, note = together(cloud(), other)
    assert dataset_crs(clouds["after"]).to_epsg() == UTM
    assert "EPSG:26915" in note
    degrees = cloud().cloud.to_crs(4979)
    clouds, note = together(degrees, degrees)
    assert dataset_crs(clouds["before"]).to_epsg() == UTM
    assert "distances are in metres" in note
    shown = compared(cloud(), other)
    assert "After was brought from EPSG:26915" in shown.message


def test_frames_that_do_not_meet_are_refused_in_the_widget():
    with pytest.raises(FrameError, match="Place both first"):
        together(cloud(), cloud(crs="cupix:pointcloud/1"))
    shown = compared(cloud(crs="cupix:pointcloud/1"), cloud(crs="cupix:pointcloud/2"))
    assert "Place both first" in shown.message
    assert shown.scene is None
    assert "Place both first" in shown.summary()


def test_one_local_frame_has_a_scene_and_no_map():
    frame = "cupix:facility/12"
    shown = compared(cloud(crs=frame), cloud(lift=1.0, crs=frame))
    assert shown.map is None
    assert shown.view == "Scene"
    assert "no place on a map" in shown.message
    assert shown.changes["after"].changed > 0.03


def test_a_cloud_without_points_is_said():
    shown = compared(cloud(), cloud().isel(point=slice(0, 0)))
    assert shown.message == "after holds no points, so there is nothing to compare."
    nowhere = cloud().assign_coords(x=("point", np.full(cloud().sizes["point"], np.nan)))
    assert "before: none of its" in compared(nowhere, cloud()).message


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"threshold_m": -1}, "threshold_m=-1 is no distance"),
        ({"max_distance_m": float("nan")}, "max_distance_m=nan is no distance"),
        ({"threshold_m": 5, "max_distance_m": 1}, "Give a larger max_distance_m"),
    ],
)
def test_distances_that_compare_nothing_are_refused(keywords, words):
    with pytest.raises(ArgumentError, match=words):
        cx.widgets.Compare(cloud(), cloud(), **keywords)


def test_what_is_no_cloud_is_refused_by_name():
    with pytest.raises(ArgumentError, match="after is a int"):
        cx.widgets.Compare(cloud(), 6)


def test_clouds_of_two_places_are_said_to_have_nothing_in_common():
    far = cloud()
    far = far.assign_coords(x=("point", far["x"].values + 500, far["x"].attrs))
    assert "No point of the one lies within 2 m of the other" in compared(cloud(), far).message
    assert "No point" not in compared(cloud(), cloud()).message


def test_both_are_drawn_in_the_same_colours():
    before, after = alike({"before": cloud(), "after": cloud(lift=5.0)})
    assert before.ramp == after.ramp
    assert (before.ramp.low, before.ramp.high) == ("200.0", "205.0")
    ground = [layer.picture.image[10, -10, :3].tolist() for layer in (before, after)]
    assert ground[0] == pytest.approx(ground[1], abs=12), "level ground looks alike in both"
    assert alike({"a": cloud(colours=True), "b": cloud(colours=True)})[0].ramp is None
    assert alike({"a": cloud(colours=True), "b": cloud()})[0].ramp is not None


def test_the_map_swipes_and_the_switch_goes_to_the_scene():
    shown = compared(cloud(), cloud(lift=1.0))
    assert shown.map._companion.swipe == {"left": "before", "right": "after", "at": 0.5}
    assert all(isinstance(layer, Picture) for layer in shown.map._stock.layers.values())
    assert shown._holder.children == (shown.map,)
    shown.view = "Scene"
    assert shown._holder.children == (shown.scene,)
    assert shown.figure()[:4] == b"\x89PNG"


def test_code_repeats_the_comparison():
    before, after = cloud(), cloud(lift=1.0)
    shown = compared(before, after, threshold_m=0.25)
    shown.view = "Scene"
    names = {"before": before, "after": after}
    exec(shown.code(), names)
    names["c"].wait(60)
    assert names["c"].code() == shown.code()
    assert names["c"].changes == shown.changes
    with pytest.raises(ArgumentError, match="Did you mean 'threshold_m'"):
        cx.widgets.Compare(before, after, treshold_m=1)
