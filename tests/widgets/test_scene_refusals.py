"""What a scene refuses, and what it says where a CRS leaves something open."""

import numpy as np
import pytest

import cupixgeo as cx
from cupixgeo.cloud.spatial_ref import with_crs
from cupixgeo.errors import ArgumentError, CloudError
from tests.widgets.surveys import survey


@pytest.mark.parametrize(
    ("keywords", "words"),
    [
        ({"point_size": 0}, "point_size=0 is no diameter"),
        ({"point_size": float("nan")}, "point_size=nan is no diameter"),
        ({"max_points": 0}, "max_points=0 is no number of points"),
        ({"height_px": -3}, "height_px=-3 is no height"),
        ({"colour": "rgb"}, "Did you mean 'color'"),
    ],
)
def test_a_value_that_shows_nothing_is_refused(keywords, words):
    with pytest.raises(ArgumentError, match=words):
        cx.widgets.Scene(survey(50), **keywords)


def test_what_is_no_cloud_is_refused_by_name():
    with pytest.raises(ArgumentError, match="is a int, which a scene cannot show"):
        cx.widgets.Scene(5)


def test_a_clipping_box_beside_the_clouds_is_refused_with_where_they_are():
    scene = cx.widgets.Scene(survey(500))
    with pytest.raises(ArgumentError, match=r"lies outside.*\[576600\.\d+, 51880.*EPSG:32615"):
        scene.clip_bounds = ((0, 0, 0), (1, 1, 1))
    assert scene.clip_bounds is None
    with pytest.raises(ArgumentError, match="is a polygon"):
        scene.clip_bounds = [(576_600, 5_188_000), (576_700, 5_188_000), (576_700, 5_188_100)]
    with pytest.raises(CloudError, match="no numbers"):
        scene.clip_bounds = "abc"
    scene.close()


@pytest.mark.parametrize(
    "viewpoint",
    [
        "north",
        {"target": (np.nan, 0, 0), "distance_m": 5},
        {"target": (576_600, 5_188_000, 160), "distance_m": 0},
        {"azimuth_deg": 3},
    ],
)
def test_a_viewpoint_that_looks_nowhere_is_refused(viewpoint):
    scene = cx.widgets.Scene(survey(50))
    with pytest.raises(ArgumentError, match="is not a viewpoint"):
        scene.viewpoint = viewpoint
    assert scene.viewpoint == {}
    scene.close()


def test_the_text_of_a_scene_says_what_is_wrong():
    scene = cx.widgets.Scene(survey(50).isel(point=slice(0, 0)))
    assert "cloud holds no points" in scene._repr_mimebundle_()["text/plain"]
    assert "cloud holds no points" in scene._repr_mimebundle_()["text/html"]
    scene.close()
    assert repr(scene) == "This Scene was closed. Run the code that made it once more."


def test_heights_of_which_the_unit_is_not_stated_are_said_to_be_taken_as_metres():
    feet = cx.widgets.Scene(with_crs(survey(50), 2225))
    assert "EPSG:2225" in feet.message
    assert "takes them as metres" in feet.message
    assert feet._state.axes == ("Easting [ftUS]", "Northing [ftUS]", "Height")
    stated = cx.widgets.Scene(with_crs(survey(50), "EPSG:2225+6360"))
    assert stated.message == ""
    assert stated._state.axes[2] == "Height [ftUS]"
    assert stated._state.frame.metres[2] == pytest.approx(1200 / 3937)
    for scene in (feet, stated):
        scene.close()
