import numpy as np
import pytest
from pyproj import Transformer

from cupixgeo.errors import ArgumentError, FrameError
from cupixgeo.services.teleport.parameters import check_model, check_products, focus_area

CORNERS = [(-92.0, 46.84), (-91.99, 46.84), (-91.99, 46.85)]
BOX = {"min_lat": 46.84, "min_lng": -92.0, "max_lat": 46.85, "max_lng": -91.99}
RING = [[*corner] for corner in (*CORNERS, CORNERS[0])]
MODEL = {
    "splat_count": 1_000_000,
    "training_resolution": 2500,
    "spherical_harmonics_degrees": 3,
    "level_of_detail": True,
}


class Shape:
    """What shapely's geometries offer."""

    @property
    def __geo_interface__(self):
        return {"type": "Polygon", "coordinates": (tuple(map(tuple, RING)),)}


@pytest.mark.parametrize(
    "area",
    [
        CORNERS,
        np.array(CORNERS),
        [(*corner, 180.0) for corner in CORNERS],
        {"type": "Polygon", "coordinates": [RING]},
        {"type": "Feature", "geometry": {"type": "Polygon", "coordinates": [RING]}},
        {"type": "MultiPolygon", "coordinates": [[RING[:3]], [RING[1:]]]},
        Shape(),
    ],
)
def test_a_focus_area_is_the_box_around_a_polygon_however_it_is_given(area):
    assert focus_area(area) == pytest.approx(BOX)


def test_a_focus_area_in_map_coordinates_is_converted():
    to_map = Transformer.from_crs("EPSG:4326", "EPSG:32615", always_xy=True)
    corners = [to_map.transform(*corner) for corner in CORNERS]
    assert focus_area(corners, crs=32615) == pytest.approx(BOX, abs=1e-9)


def test_a_focus_area_in_a_local_frame_is_refused():
    with pytest.raises(FrameError):
        focus_area([(0, 0), (1, 0), (1, 1)], crs="teleport:capture/abc")


def test_the_service_s_own_fields_pass_through():
    fields = {"polylines": ["_p~iF~ps|U"], "buffer_meters": 5, **BOX}
    assert focus_area(fields) == fields
    assert focus_area(BOX, crop_method="tight")["crop_method"] == "tight"


@pytest.mark.parametrize(
    ("area", "says"),
    [
        (CORNERS[:2], "three corners"),
        ([CORNERS[0]] * 4, "three corners"),
        ([(500000, 5e6), (500100, 5e6), (500100, 5000100)], "focus_crs="),
        ([(46.84, -92), (46.84, -91), (46.9, -91)], "focus_crs="),
        ([(179, 0), (-179, 0), (-179, 1)], "180°"),
        ([(0, 0), (1, float("nan")), (1, 1)], "not a corner"),
        ([(0,), (1,), (2,)], "not a corner"),
        ({"type": "Point", "coordinates": [0, 0]}, "not 'Point'"),
        (5, "list of corners"),
        ({"min_lat": 91.0}, "outside"),
        ({"min_lng": 5.0, "max_lng": 4.0}, "more than"),
    ],
)
def test_what_is_no_focus_area_is_refused(area, says):
    with pytest.raises(ArgumentError, match=says):
        focus_area(area)


def test_model_parameters_in_range_are_kept():
    assert check_model(MODEL) == MODEL
    assert check_model({**MODEL, "new_one": 5})["new_one"] == 5


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("splat_count", 499_999), ("splat_count", 10_000_001), ("splat_count", 1e6),
        ("splat_count", True), ("training_resolution", 2000), ("level_of_detail", "yes"),
        ("spherical_harmonics_degrees", 1),
    ],
)  # fmt: skip
def test_model_parameters_out_of_range_are_refused_by_name(field, value):
    with pytest.raises(ArgumentError, match=field):
        check_model({**MODEL, field: value})


def test_missing_model_parameters_are_named():
    with pytest.raises(ArgumentError, match="splat_count, level_of_detail missing"):
        check_model({"training_resolution": 1600, "spherical_harmonics_degrees": 0})


def test_products_have_a_default_and_are_named_once():
    assert check_products([]) == ["splats", "cameras"]
    assert check_products(["sogs", "splats", "sogs"]) == ["sogs", "splats"]
    with pytest.raises(ArgumentError, match=r"'mesh'.*'splats'"):
        check_products(["mesh"])
