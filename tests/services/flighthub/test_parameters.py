"""The algorithm parameters against DJI's own example, and what is refused before it is sent."""

from __future__ import annotations

import json

import pytest
from pyproj import Transformer

from cupixgeo.errors import ArgumentError, DescriptorError
from cupixgeo.services.flighthub.offer import offer
from cupixgeo.services.flighthub.order import PRODUCTS, descriptor_of, read_order, start_body
from cupixgeo.services.flighthub.parameters import KINDS, PARAMETERS, build, table
from cupixgeo.services.flighthub.settings import FlightHubSettings
from cupixgeo.services.job_values import JobRequest

GEO = {"cs_type": "GEO_CS", "geo_cs": "EPSG:32650", "geo_cs_wkt": "", "override_vertical_cs": ""}
SEED = {
    "output_mesh": True, "generate_b3dm": True, "generate_osgb": False, "generate_obj": False,
    "generate_ply": False, "output_pointcloud": False, "generate_pnts": False,
    "generate_las": False, "generate_point_ply": False, "output_ply_with_normals": False,
    "ply_with_normals_level": 0, "model_simplify": 0.2, "quality_level": 3, "water_refine": False,
    "cut_AOI": False, "global_min_depth": -1, "stereo_mode": False, "usable_memory_GB": 60,
    "output_geo_desc": GEO,
}  # fmt: skip
"""The complete object of DJI's page "Start reconstruction task"."""


def order(*products, crs=None, **parameters):
    request = JobRequest("Pier 4", crs, products, parameters)
    return read_order(request, FlightHubSettings())


def test_a_mesh_in_utm_is_the_object_of_the_reference_page():
    content = order("mesh", crs=32650)["content"]
    assert content == {"3d": {"parameter": SEED}}


def test_the_start_call_has_texts_and_empty_ones_for_what_is_not_asked_for():
    body = start_body(order("mesh", crs=32650), "R")
    assert json.loads(body["parameter_3d"]) == {"parameter": SEED}
    assert [body[f"parameter_{kind}"] for kind in ("2d", "3dgs", "lidar")] == ["", "", ""]
    assert body["resource_uuid"] == "R"
    assert body["delete_resource_if_finish"] is False
    assert list(body) == [
        "resource_uuid", "parameter_2d", "parameter_3d", "parameter_3dgs", "parameter_lidar",
        "delete_resource_if_finish",
    ]  # fmt: skip


def test_every_product_has_a_kind_and_flags_that_are_documented():
    for kind, flags in PRODUCTS.values():
        known = {parameter.name for parameter in PARAMETERS[kind]}
        assert kind in KINDS
        assert set(flags) <= known


def test_products_of_several_kinds_go_into_one_call(tmp_path):
    record = tmp_path / "flight.LDR"
    record.write_bytes(b"1")
    made = order("las", "obj", "orthophoto", "dsm", "splats", "lidar", lidar_files=[record])
    content = made["content"]
    assert list(content) == ["2d", "3d", "3dgs", "lidar"]
    three = content["3d"]["parameter"]
    assert three["output_pointcloud"]
    assert three["generate_las"]
    assert three["output_mesh"]
    assert three["generate_obj"]
    assert not three["generate_b3dm"]
    assert content["3dgs"] == {"parameter": {}}
    assert content["2d"]["parameter"] == {"map_mode": 1, "quality_level": 1}
    assert made["lidar_files"] == [str(record)]


def test_nothing_asked_for_is_a_point_cloud_and_a_mesh():
    three = order()["content"]["3d"]["parameter"]
    assert three["generate_las"]
    assert three["generate_b3dm"]
    assert "output_geo_desc" not in three


def test_parameters_of_a_kind_ask_for_that_kind():
    content = order(parameter_2d={"map_mode": 2})["content"]
    assert content == {"2d": {"parameter": {"map_mode": 2, "quality_level": 1}}}


def test_what_is_not_documented_is_passed_on_and_siblings_stay_siblings():
    area = {"polygon_points": [[0, 0, 0]], "geo_desc": GEO}
    whole = {
        "parameter": {"output_mesh": True, "brand_new": {"a": [1, None]}},
        "predefine_AOI": area,
        "export_parameter": {"pc_dir_structure": True},
    }
    content = order(parameter_3d=whole)["content"]["3d"]
    assert content["predefine_AOI"] == area
    assert content["export_parameter"] == {"pc_dir_structure": True}
    assert content["parameter"]["brand_new"] == {"a": [1, None]}
    assert order(parameter_3d={"cut_AOI": True, "predefine_AOI": area})["content"]["3d"][
        "predefine_AOI"
    ]


@pytest.mark.parametrize(
    ("crs", "expected"),
    [
        (32650, GEO),
        ("EPSG:32650+5773", {**GEO, "override_vertical_cs": "EPSG:5773"}),
        ("EPSG:4326", {**GEO, "geo_cs": "EPSG:4326"}),
    ],
)
def test_the_crs_becomes_the_descriptor_of_every_kind(crs, expected):
    made = order("mesh", "orthophoto", "splats", crs=crs)
    for content in made["content"].values():
        assert content["parameter"]["output_geo_desc"] == expected
    assert descriptor_of(made, "3d").to_dict() == expected
    assert descriptor_of(order("mesh"), "3d") is None


def test_a_descriptor_of_one_s_own_wins_and_is_checked():
    own = {**GEO, "geo_cs": "EPSG:32649"}
    made = order("mesh", crs=32650, parameter_3d={"output_geo_desc": own})
    assert made["content"]["3d"]["parameter"]["output_geo_desc"] == own
    with pytest.raises(DescriptorError):
        order(parameter_3d={"output_geo_desc": {"cs_type": "GEO"}})
    with pytest.raises(DescriptorError):
        order("mesh", crs=4978)


@pytest.mark.parametrize(
    ("kind", "values", "message"),
    [
        ("3d", {"quality_level": 0}, "none of"),
        ("3d", {"quality_level": "high"}, "no int"),
        ("3d", {"quality_level": True}, "no int"),
        ("3d", {"output_mesh": 1}, "no bool"),
        ("3d", {"model_simplify": 0.04}, "not from 0.05 to 1"),
        ("3d", {"model_simplify": 1.01}, "not from 0.05 to 1"),
        ("3d", {"usable_memory_GB": 0}, "not from 1 GB"),
        ("3d", {"generate_obj": True}, "nothing without output_mesh"),
        ("3d", {"generate_las": True}, "nothing without output_pointcloud"),
        ("3d", {"output_geo_desc": "EPSG:32650"}, "no object"),
        ("2d", {"map_mode": 3}, "none of"),
        ("2d", {"dom_tile_size": 511}, "odd"),
        ("2d", {"SfM_method": "FAST"}, "none of"),
        ("lidar", {"sample_distance": 0.1, "quality_level": 1}, "exclude each other"),
        ("lidar", {"scene_type": 1}, "nothing without ground_extract"),
        ("lidar", {"lidar_point_max_distance": -1}, "not from 0 m"),
        ("3dgs", {"quality_level": 4}, "none of"),
        ("3d", {"something": {1, 2}}, "no JSON"),
        ("3d", {"something": float("nan")}, "no JSON"),
    ],
)
def test_what_makes_no_sense_is_refused(kind, values, message):
    with pytest.raises(ArgumentError, match=message):
        build(kind, values)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"parameter_3d": "{}"}, "is a dict here"),
        ({"parameter_3d": [1]}, "no dict"),
        ({"quality": 1}, "parameter_2d, parameter_3d, parameter_3dgs, parameter_lidar"),
        ({"delete_resource_if_finish": "yes"}, "not True or False"),
        ({"parameter_lidar": {}}, "lidar_files"),
    ],
)
def test_arguments_that_make_no_sense_are_refused(arguments, message):
    with pytest.raises(ArgumentError, match=message):
        order(**arguments)


def test_all_parameters_are_listed_with_type_default_and_meaning():
    frame = table()
    seed = frame[(frame["kind"] == "3d") & (frame["source"] == "R")]
    assert set(SEED) <= set(frame.loc[frame["kind"] == "3d", "name"])
    assert set(seed["name"]) <= set(SEED)
    assert (frame["meaning"].str.len() > 5).all()
    assert not frame.duplicated(["kind", "name"]).any()
    simplify = frame[frame["name"] == "model_simplify"].iloc[0]
    assert (simplify["low"], simplify["high"], simplify["default"]) == (0.05, 1.0, 0.2)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"language": "de"}, "language"),
        ({"callback_files": 0}, "callback_files"),
        ({"callback_files": 101}, "1 to 100"),
        ({"part_bytes": 1}, "5 MiB"),
        ({"unknown": 1}, "api_path"),
    ],
)
def test_assumptions_are_named_and_checked(given, message):
    with pytest.raises(ArgumentError, match=message):
        FlightHubSettings.of(given)


RING = [[-91.995, 46.842], [-91.994, 46.842], [-91.994, 46.843], [-91.995, 46.842]]


def test_an_area_becomes_the_polygon_of_the_older_api_in_the_crs_of_the_results():
    area = {"type": "Polygon", "coordinates": [RING]}
    to_map = Transformer.from_crs("EPSG:4326", "EPSG:26915", always_xy=True)
    made = order("pointcloud", "orthophoto", "splats", crs=26915, area=area)["content"]
    for kind in ("2d", "3d"):
        sent = made[kind]["predefine_AOI"]
        corners = {(round(x, 2), round(y, 2)) for x, y, _ in sent["polygon_points"]}
        assert corners == {tuple(round(v, 2) for v in to_map.transform(*c)) for c in RING}
        assert sent["geo_desc"]["geo_cs"] == "EPSG:26915"
    assert made["3d"]["parameter"]["cut_AOI"] is True
    assert "predefine_AOI" not in made["3dgs"]


@pytest.mark.parametrize("crs", [None, 4326, "EPSG:32615+5773"])
def test_an_area_is_sent_in_utm_where_the_results_are_in_no_plane(crs):
    sent = order("mesh", crs=crs, area=RING)["content"]["3d"]["predefine_AOI"]
    assert sent["geo_desc"]["geo_cs"] == "EPSG:32615"
    assert sent["min_altitude"] < -500 < 9000 < sent["max_altitude"]


@pytest.mark.parametrize(
    ("area", "products", "says"),
    [
        ([[0, 0], [1, 1], [1, 0], [0, 1]], ("mesh",), "no area"),
        ({"type": "Polygon", "coordinates": []}, ("mesh",), "no area"),
        ([[576700, 5188100], [576800, 5188100], [576800, 5188200]], ("mesh",), "degrees"),
        (RING, ("splats",), "2D and 3D"),
        ({"type": "MultiPolygon", "coordinates": [[RING], [RING]]}, ("mesh",), "one ring"),
    ],
)
def test_an_area_that_cannot_be_sent_is_refused(area, products, says):
    with pytest.raises(ArgumentError, match=says):
        order(*products, area=area)


def test_the_offer_follows_the_products():
    shown = offer(("orthophoto", "lidar"), FlightHubSettings())
    assert [group.title for group in shown.groups] == ["2D map", "LiDAR"]
    assert {argument.group for argument in shown.arguments} == {
        "", "parameter_2d", "parameter_lidar",
    }  # fmt: skip
    usual = {a.name: a.default for a in offer((), FlightHubSettings()).arguments}
    assert usual["generate_las"] is usual["output_mesh"] is True
