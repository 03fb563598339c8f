"""Placement and operation as one way."""

import json
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from pyproj import Transformer

from cupixgeo.errors import FrameError, OperationError
from cupixgeo.geodesy.chain import plan_chain
from cupixgeo.geodesy.transform import Transform

SUB, CLUSTER, SITE = "cupix:pointcloud/5310", "cupix:cluster/3416", "cupix:facility/12"


@pytest.fixture
def placed():
    angle = np.radians(25)
    matrix = np.array(
        [
            [np.cos(angle), -np.sin(angle), 0, 12.5],
            [np.sin(angle), np.cos(angle), 0, -7.25],
            [0, 0, 1, 3.0],
            [0, 0, 0, 1],
        ]
    )
    sub = Transform(matrix, source=SUB, target=CLUSTER)
    cluster = Transform(np.diag([1.5, 1.5, 1.5, 1]), source=CLUSTER, target=SITE)
    site = Transform.from_georeference(lat_deg=46.5, lon_deg=7.4, alt_m=640, source=SITE)
    return site @ cluster @ sub


def test_a_placed_cloud_arrives_where_proj_says(placed):
    xyz = np.random.default_rng(1).uniform(-500, 500, (200, 3))
    geocentric = placed.matrix[:3, :3] @ xyz.T + placed.matrix[:3, 3:]
    expected = Transformer.from_crs(4978, 32632, always_xy=True).transform(*geocentric)
    chain = plan_chain(SUB, 32632, transform=placed)
    np.testing.assert_allclose(chain.apply(xyz), np.transpose(expected), rtol=0, atol=1e-7)
    assert chain.accuracy_m == 0
    assert not chain.is_identity


def test_a_cloud_on_earth_needs_no_placement():
    xyz = np.array([[450000.0, 5150000.0, 10.0]])
    expected = Transformer.from_crs(32632, 2056, always_xy=True).transform(*xyz[0])
    chain = plan_chain(32632, 2056)
    np.testing.assert_allclose(chain.apply(xyz)[0], expected, rtol=0, atol=1e-7)
    assert chain.accuracy_m == 1


@pytest.mark.parametrize("crs", [32650, SUB])
def test_no_way_at_all_is_an_identity(crs):
    chain = plan_chain(crs, crs)
    xyz = np.random.default_rng(1).uniform(size=(5, 3))
    assert chain.is_identity
    assert chain.is_smooth
    out = chain.apply(xyz)
    np.testing.assert_array_equal(out, xyz)
    assert not np.shares_memory(out, xyz)


def test_a_local_frame_can_be_the_target(placed):
    there = Transform(np.diag([2.0, 2, 2, 1]), source=SUB, target=SITE)
    chain = plan_chain(SUB, SITE, transform=there)
    np.testing.assert_array_equal(chain.apply([[1.0, 2, 3]]), [[2, 4, 6]])


def test_an_unplaced_cloud_is_told_to_be_placed_first():
    with pytest.raises(FrameError, match=f"{SUB}.*local frame.*place the cloud first"):
        plan_chain(SUB, 32632)


def test_a_placement_that_ends_in_a_local_frame_is_not_enough():
    with pytest.raises(FrameError, match=f"{SITE}.*local frame"):
        plan_chain(SUB, 32632, transform=Transform.identity(SUB, SITE))


def test_a_placement_of_another_cloud_is_refused(placed):
    with pytest.raises(FrameError, match=f"cupix:pointcloud/1,.*{SUB}"):
        plan_chain("cupix:pointcloud/1", 32632, transform=placed)


def test_a_file_with_its_own_crs_and_a_local_placement_gets_both_remedies(placed):
    with pytest.raises(FrameError, match=rf"EPSG:32632.*crs='{SUB}'.*leave the placement away"):
        plan_chain(32632, 32632, transform=placed)


def test_assumptions_reach_the_operation_and_the_report(placed):
    with pytest.raises(OperationError, match="assume="):
        plan_chain(SUB, 4547, transform=placed)
    chain = plan_chain(SUB, 4547, transform=placed, assume="CGCS2000=WGS 84")
    assert chain.assumptions == ("CGCS2000=WGS 84",)
    assert chain.to_dict()["assumptions"] == ["CGCS2000=WGS 84"]


def test_a_report_tells_every_step_in_plain_values(placed):
    told = plan_chain(SUB, 32632, transform=placed).to_dict()
    assert json.loads(json.dumps(told)) == told
    assert [step["kind"] for step in told["steps"]] == ["transform", "operation"]
    for step in told["steps"]:
        assert {"name", "accuracy_m", "grids", "assumptions", "notes"} <= step.keys()
    assert told["steps"][0]["matrix"] == placed.matrix.tolist()
    assert told["steps"][0]["source"] == SUB
    assert told["target"].startswith("EPSG:32632")
    assert "ellipsoidal heights" in told["notes"][0]


def test_even_no_way_is_told():
    assert [step["name"] for step in plan_chain(32650, 32650).to_dict()["steps"]] == ["no change"]


def test_the_box_of_the_points_chooses_the_operation_of_their_region():
    """East of the Slovak border S-JTSK has other parameters than west of it."""
    lon, lat = 15.0, 50.0
    site = Transform.from_georeference(lat_deg=lat, lon_deg=lon, alt_m=300, source=SITE)
    box = [[-500, -500, 0], [500, 500, 30]]
    anywhere = plan_chain(SITE, 5514, transform=site)
    here = plan_chain(SITE, 5514, transform=site, box=box)
    assert here.accuracy_m < anywhere.accuracy_m
    expected = Transformer.from_crs(4326, 5514, always_xy=True).transform(lon, lat, 300)
    np.testing.assert_allclose(here.apply([[0.0, 0, 0]])[0], expected, rtol=0, atol=1e-6)


def test_its_text_names_every_station(placed):
    chain = plan_chain(SUB, 32632, transform=placed)
    text = f"{SUB} → EPSG:4978 (WGS 84) → EPSG:32632 (WGS 84 / UTM zone 32N)"
    assert str(chain) == text
    assert text in repr(chain)


def test_it_survives_pickle(placed):
    chain = plan_chain(SUB, 32632, transform=placed)
    xyz = np.random.default_rng(1).uniform(-500, 500, (20, 3))
    again = pickle.loads(pickle.dumps(chain))
    assert again == chain
    np.testing.assert_array_equal(again.apply(xyz), chain.apply(xyz))


def test_threads_get_the_same_numbers(placed):
    chain = plan_chain(SUB, 32632, transform=placed)
    blocks = [np.random.default_rng(i).uniform(-500, 500, (2000, 3)) for i in range(32)]
    expected = [chain.apply(block) for block in blocks]
    with ThreadPoolExecutor(8) as pool:
        for found, wanted in zip(pool.map(chain.apply, blocks), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
