"""Camera poses: the order of a quaternion is a parameter, nonsense is told, NaN is not aligned."""

from __future__ import annotations

import numpy as np
import pytest

from cupixgeo.errors import ArgumentError, ResponseError
from cupixgeo.services.cupix.pointcloud import Facility
from cupixgeo.services.cupix.poses import pose_columns

SITE = Facility(12, "k", "Hall", {"lat": 37.401877, "lon": 127.10695, "bearing": 0})
POS, QUAT = [2.59444, 1.43676, 1.85181], [-0.05542, -0.04395, -0.76434, 0.64092]


def pano(**fields):
    return {"id": 9, "geo_coordinate": {"pos": POS, "quat": QUAT}, **fields}


def posed(*panos, facility=SITE, **options):
    return pose_columns(list(panos), lambda _: facility, **options)


def test_the_published_sample_lands_where_distance_and_bearing_say():
    """The service's own recipe is spherical: good to 2 cm over 3 m, and the sense is the same."""
    table = posed(pano())
    assert table["lat_deg"][0] == pytest.approx(37.40188992107162, abs=1e-7)
    assert table["lon_deg"][0] == pytest.approx(127.1069793712063, abs=1e-7)
    turned = posed(pano(), facility=Facility(1, "k", "", {**SITE.georeference, "bearing": 30}))
    assert turned["lat_deg"][0] == pytest.approx(37.40187652381105, abs=1e-7)
    assert turned["lon_deg"][0] == pytest.approx(127.10698356886046, abs=1e-7)


def test_the_order_of_the_quaternion_is_a_parameter():
    names = ["qx", "qy", "qz", "qw"]
    assert posed(pano())[names].iloc[0].tolist() == QUAT
    assert posed(pano(), quat_order="wxyz")[names].iloc[0].tolist() == [*QUAT[1:], QUAT[0]]
    with pytest.raises(ArgumentError, match="quat_order"):
        posed(pano(), quat_order="yxzw")


def test_panos_without_pose_or_place_are_nan():
    lost, half = pano(geo_coordinate=None), pano(geo_coordinate={"pos": POS})
    table = posed(lost, half, pano(), facility=None)
    assert table.loc[0].isna().all()
    assert table.loc[1, ["x", "y", "z"]].tolist() == POS
    assert table[["lon_deg", "lat_deg", "height_m"]].isna().all(axis=None)
    assert len(posed()) == 0


def test_a_pano_may_bring_a_georeference_of_its_own():
    elsewhere = {"lat": 10.0, "lon": 20.0, "alt": 5.0}
    table = posed(pano(), pano(use_georeference=True, georeference=elsewhere))
    assert table["lat_deg"].round(3).tolist() == [37.402, 10.0]
    assert table["height_m"][1] == pytest.approx(5.0 + POS[2], abs=1e-5)


def test_large_coordinates_are_taken_as_they_are():
    far = {"pos": [-226527.01, 432533.01, 4289.75], "quat": QUAT}
    table = posed(pano(geo_coordinate=far), facility=None)
    assert table["y"][0] == 432533.01


@pytest.mark.parametrize("pos", ["here", [1, 2], [1, 2, "x"], [1, 2, np.inf], {"x": 1}])
def test_what_is_no_position_names_the_pano(pos):
    with pytest.raises(ResponseError, match="pos of pano 9"):
        posed(pano(geo_coordinate={"pos": pos, "quat": QUAT}))
