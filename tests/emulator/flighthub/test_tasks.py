"""Starting, following, stopping and deleting reconstructions; limits and quota."""

from __future__ import annotations

import json

import pytest

from cupixgeo.emulator.flighthub import Outcome
from tests.emulator.flighthub.conftest import GEO, START, copies, start_body

CLOUD = {"output_pointcloud": True, "generate_las": True}
MAP = {"map_mode": 1}


def times(api):
    return api.rules.queue_s, api.rules.run_s, api.rules.zip_s


def test_one_call_starts_exactly_the_kinds_that_were_asked_for(api, resource):
    started = api.start(resource, **{"2d": MAP, "3d": CLOUD})
    assert set(started) == {"model_2d", "model_3d"}
    for answer in started.values():
        assert set(answer) == {"uuid", "status", "sub_error_code"}
        assert (answer["status"], answer["sub_error_code"]) == (12, 0)
    rows = api.data("GET", "/open_model/models/running")["list"]
    assert [row["model_type"] for row in rows] == [1, 2]


def test_the_request_of_the_reference_page_is_taken_as_it_is(api, resource):
    """Empty texts mean "not requested"; the object is DJI's own example."""
    text = (
        '{"parameter":{"output_mesh":true,"generate_b3dm":true,"generate_osgb":false,'
        '"generate_obj":false,"generate_ply":false,"output_pointcloud":false,'
        '"generate_pnts":false,"generate_las":false,"generate_point_ply":false,'
        '"output_ply_with_normals":false,"ply_with_normals_level":0,"model_simplify":0.2,'
        '"quality_level":3,"water_refine":false,"cut_AOI":false,"global_min_depth":-1,'
        '"stereo_mode":false,"usable_memory_GB":60,"output_geo_desc":' + json.dumps(GEO) + "}}"
    )
    body = {
        "resource_uuid": resource,
        "parameter_2d": "",
        "parameter_3d": text,
        "parameter_3dgs": "",
        "parameter_lidar": "",
        "delete_resource_if_finish": False,
    }
    assert set(api.data("POST", START, body)) == {"model_3d"}


def test_a_task_moves_with_the_clock_through_the_documented_numbers(emu, api, resource):
    queue_s, run_s, zip_s = times(api)
    uuid = api.start(resource, **{"3d": CLOUD})["model_3d"]["uuid"]
    seen = []

    def look():
        row = api.model(uuid)
        numbers = ("model_status", "reconstruction_progress", "zip_status", "zip_progress")
        seen.append(tuple(row[name] for name in numbers))
        return row

    for step in (0, queue_s, run_s / 2, run_s / 2, 5, zip_s / 2):
        emu.clock.advance(step)
        assert look()["zip_file_key"] == ""
    emu.clock.advance(zip_s / 2)
    row = look()
    assert seen == [
        (12, 0, 0, 0), (14, 1, 0, 0), (14, 50, 0, 0), (15, 100, 0, 0), (15, 100, 1, 0),
        (15, 100, 1, 49), (15, 100, 2, 100),
    ]  # fmt: skip
    assert row["zip_file_key"].endswith(f"{uuid}.zip")
    assert row["model_size"] > 0
    assert row["error_code"] == 0
    assert api.data("GET", "/open_model/models/running") == {"list": None}


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (Outcome(status=9), (9, 0, 2)),
        (Outcome(status=8, error_code=310001), (8, 310001, 0)),
        (Outcome(status=13, error_code=77), (13, 77, 0)),
        (Outcome(zip_status=3), (15, 0, 3)),
    ],
)
def test_a_task_ends_as_the_script_says(emu, api, resource, outcome, expected):
    api.rules.outcome = outcome
    uuid = api.start(resource, **{"3d": CLOUD})["model_3d"]["uuid"]
    emu.clock.advance(sum(times(api)) + 60)
    row = api.model(uuid)
    assert (row["model_status"], row["error_code"], row["zip_status"]) == expected


def test_a_script_may_show_a_status_nobody_documented(emu, api, resource):
    api.rules.outcome = Outcome(odd_status=10)
    uuid = api.start(resource, **{"3d": CLOUD})["model_3d"]["uuid"]
    emu.clock.advance(api.rules.queue_s + 1)
    assert api.model(uuid)["model_status"] == 10


def body_with(resource, **changed):
    return {**start_body(resource, **{"3d": CLOUD}), **changed}


@pytest.mark.parametrize(
    "changed",
    [
        {"resource_uuid": None},
        {"parameter_3d": ""},
        {"parameter_3d": {"parameter": CLOUD}},
        {"parameter_3d": "no json"},
        {"parameter_3d": "[]"},
        {"parameter_3d": json.dumps(CLOUD)},
        {"delete_resource_if_finish": "no"},
        {"parameter_2d": json.dumps({"parameter": {}})},
    ],
)
def test_a_start_that_is_wrong_is_refused_and_starts_nothing(api, resource, changed):
    assert api.code("POST", START, body_with(resource, **changed)) == (200, 200610)
    assert not api.service.tasks.tasks


@pytest.mark.parametrize(
    "parameter",
    [
        {"quality_level": 0},
        {"quality_level": "high"},
        {"output_mesh": 1},
        {"model_simplify": 0.01},
        {"model_simplify": True},
        {"model_simplify": "0.2"},
        {"SfM_method": "FAST"},
        {"map_mode": 3},
        {"dom_tile_size": 511, "map_mode": 1},
        {"sample_distance": 0.1, "quality_level": 1},
        {"output_geo_desc": "EPSG:32615"},
        {"output_geo_desc": {"cs_type": "GEO"}},
        {"output_geo_desc": {**GEO, "geo_cs": ""}},
        {"output_geo_desc": {**GEO, "geo_cs_wkt": "PROJCS[]"}},
        {"output_geo_desc": {**GEO, "geo_cs": "32615"}},
        {"output_geo_desc": {**GEO, "geo_cs": "EPSG:99999"}},
        {"output_geo_desc": {**GEO, "geo_cs": "EPSG:4978"}},
        {"output_geo_desc": {**GEO, "override_vertical_cs": "EPSG:32615"}},
        {"output_geo_desc": {"cs_type": "LOCAL_ENU_CS"}},
        {"output_geo_desc": {**GEO, "offset": [1, 2]}},
    ],
)
def test_a_parameter_out_of_range_is_refused(api, resource, parameter):
    wrong = start_body(resource, **{"3d": parameter})
    assert api.code("POST", START, wrong) == (200, 200610)


def test_unknown_parameters_are_taken_without_a_word(api, resource):
    text = json.dumps({"parameter": {**CLOUD, "brand_new": {"a": 1}}, "predefine_AOI": {}})
    assert api.data("POST", START, body_with(resource, parameter_3d=text))


@pytest.mark.parametrize(("kind", "parameter"), [("3d", CLOUD), ("3dgs", {}), ("2d", MAP)])
def test_the_number_of_images_has_limits_by_kind(api, photos, kind, parameter):
    photo = min(photos.values(), key=len)
    least = api.rules.min_images[kind]
    few = api.resource(copies(photo, least - 1))
    assert api.code("POST", START, start_body(few, **{kind: parameter})) == (200, 990001)
    assert api.start(api.resource(copies(photo, least)), **{kind: parameter})
    api.rules.max_images[kind] = least
    many = api.resource(copies(photo, least + 1))
    assert api.code("POST", START, start_body(many, **{kind: parameter})) == (200, 990002)


def test_the_documented_limits_are_the_defaults(api):
    assert api.rules.min_images == {"2d": 5, "3d": 5, "3dgs": 10, "lidar": 5}
    assert api.rules.max_images == {"2d": 20_000, "3d": 20_000, "3dgs": 4_000, "lidar": 20_000}


def test_a_lidar_model_needs_more_than_images(api, photos):
    body = start_body(api.resource(photos), lidar={"generate_las": True})
    assert api.code("POST", START, body) == (200, 200610)
    both = api.resource({**photos, "flight.LDR": b"points"})
    assert set(api.start(both, lidar={"generate_las": True})) == {"model_lidar"}


def test_an_edition_has_so_many_tasks_at_a_time_and_no_more(emu, api, other, resource, photos):
    api.start(resource, **{"2d": MAP})
    both = start_body(resource, **{"2d": MAP, "3d": CLOUD})
    assert api.code("POST", START, both) == (200, 990004)
    api.start(resource, **{"3d": CLOUD})
    assert api.code("POST", START, start_body(resource, **{"3d": CLOUD})) == (200, 990004)
    emu.clock.advance(sum(times(api)) + 60)
    assert api.start(resource, **{"2d": MAP, "3d": CLOUD})
    theirs = other.resource(photos)
    for _ in range(5):
        other.start(theirs, **{"2d": MAP, "3d": CLOUD})
    assert other.code("POST", START, start_body(theirs, **{"3d": CLOUD})) == (200, 990004)


def test_the_quota_is_used_up_and_given_back_by_failed_and_stopped_tasks(emu, api, resource):
    api.rules.quota_images = 20
    start = start_body(resource, **{"3d": CLOUD})
    first = api.data("POST", START, start)["model_3d"]["uuid"]
    assert api.code("POST", START, start) == (200, 990003)
    api.data("POST", f"/open_model/models/{first}/reconstruction/stop")
    api.rules.outcome = Outcome(status=8)
    api.data("POST", START, start)
    emu.clock.advance(sum(times(api)) + 60)
    api.rules.outcome = Outcome()
    done = api.data("POST", START, start)["model_3d"]["uuid"]
    emu.clock.advance(sum(times(api)) + 60)
    api.data("DELETE", f"/open_model/models/{done}")
    assert api.code("POST", START, start) == (200, 990003)


def test_a_stopped_task_is_cancelled_and_cannot_be_stopped_again(emu, api, resource):
    uuid = api.start(resource, **{"3d": CLOUD})["model_3d"]["uuid"]
    emu.clock.advance(api.rules.queue_s + api.rules.run_s / 2)
    stop = f"/open_model/models/{uuid}/reconstruction/stop"
    assert api.data("POST", stop) == {}
    emu.clock.advance(10_000)
    row = api.model(uuid)
    assert (row["model_status"], row["reconstruction_progress"]) == (16, 50)
    assert api.code("POST", stop) == (200, 990005)


def test_a_finished_task_cannot_be_stopped(emu, api, resource):
    uuid = api.start(resource, **{"3d": CLOUD})["model_3d"]["uuid"]
    emu.clock.advance(10_000)
    stop = f"/open_model/models/{uuid}/reconstruction/stop"
    assert api.code("POST", stop) == (200, 990005)


def test_a_deleted_model_is_gone_and_stopped(api, resource):
    uuid = api.start(resource, **{"3d": CLOUD})["model_3d"]["uuid"]
    assert api.data("DELETE", f"/open_model/models/{uuid}") == {}
    assert api.code("GET", f"/open_model/models/{uuid}") == (404, 200404)
    assert api.code("DELETE", f"/open_model/models/{uuid}") == (404, 200404)
    assert api.data("GET", "/open_model/models/running") == {"list": None}


def test_another_organization_s_models_are_not_there(api, other, resource):
    uuid = api.start(resource, **{"3d": CLOUD})["model_3d"]["uuid"]
    assert other.code("GET", f"/open_model/models/{uuid}") == (404, 200404)
    assert other.code("POST", f"/open_model/models/{uuid}/reconstruction/stop") == (404, 200404)
    assert other.code("GET", f"/model/download-url/{uuid}") == (404, 200404)
    assert other.code("POST", START, start_body(resource, **{"3d": CLOUD})) == (404, 200404)


def test_a_resource_in_use_waits_to_be_deleted(emu, api, resource):
    api.start(resource, **{"3d": CLOUD})
    path = f"/open_model/resource/{resource}"
    api.data("DELETE", path)
    assert api.data("GET", path)["status"] == 2
    assert api.code("POST", START, start_body(resource, **{"3d": CLOUD})) == (200, 200610)
    emu.clock.advance(10_000)
    assert api.data("GET", path)["status"] == 3


def test_a_resource_is_deleted_after_its_last_task_where_that_was_asked_for(emu, api, resource):
    api.data("POST", START, start_body(resource, delete=True, **{"3d": CLOUD}))
    path = f"/open_model/resource/{resource}"
    assert api.data("GET", path)["status"] == 1
    emu.clock.advance(10_000)
    assert api.data("GET", path)["status"] == 3


def test_images_that_cannot_be_read_let_the_reconstruction_fail(emu, api, photos):
    broken = api.resource({**photos, "DJI_0018.JPG": b"no picture"})
    uuid = api.start(broken, **{"3d": CLOUD})["model_3d"]["uuid"]
    emu.clock.advance(10_000)
    row = api.model(uuid)
    assert (row["model_status"], row["error_code"]) == (8, 310002)


def test_the_archive_is_read_through_a_link_that_expires(emu, api, resource):
    uuid = api.start(resource, **{"3d": CLOUD})["model_3d"]["uuid"]
    assert api.data("GET", f"/model/download-url/{uuid}") == {"id": 1, "url": ""}
    emu.clock.advance(10_000)
    by_uuid = api.data("GET", f"/model/download-url/{uuid}/")["url"]
    by_number = api.data("GET", "/model/download-url/1")["url"]
    assert by_uuid.split("?")[0] == by_number.split("?")[0]
    assert by_uuid.startswith(emu.storage_url)
    assert api.archive(uuid).testzip() is None
    assert api.code("GET", "/model/download-url/999") == (404, 200404)


def test_map_models_are_listed_linked_and_ordered(emu, api, other):
    (row,) = api.data("GET", "/model")["list"]
    assert row["file_type"] == "model_3d"
    assert row["create_at"] == 1_700_000_000_000
    details = api.data("GET", f"/model/{row['id']}")
    assert details["url"].startswith(emu.storage_url)
    assert other.data("GET", "/model") == {"list": None}
    assert other.code("GET", f"/model/{row['id']}") == (404, 200404)
    order = {
        "name": "Shore",
        "reconstruction_type": ["model_2d", "model_3d"],
        "generate_model_formats": ["las"],
        "task_folder_id": 4711,
        "wkt": "EPSG:32615",
    }
    number = api.data("POST", "/model/create", order)["id"]
    assert api.code("GET", f"/model/{number}") == (404, 200404)
    emu.clock.advance(api.rules.run_s)
    assert api.data("GET", f"/model/{number}")["name"] == "Shore"
    assert len(api.data("GET", "/model")["list"]) == 3


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"name": ""}, (200, 200610)),
        ({"reconstruction_type": []}, (200, 200610)),
        ({"reconstruction_type": ["model_4d"]}, (200, 200610)),
        ({"generate_model_formats": ["mesh"]}, (200, 200610)),
        ({"quality_level": "best"}, (200, 200610)),
        ({"reconstruction_mode": "fast"}, (200, 200610)),
        ({"simplified_factor": 0}, (200, 200610)),
        ({"predefine_area": {"polygon_points": [{}, {}]}}, (200, 200610)),
        ({"task_folder_id": 1}, (404, 200404)),
    ],
)
def test_an_order_for_the_map_that_is_wrong_is_refused(api, changed, expected):
    order = {"name": "x", "reconstruction_type": ["model_3d"], "task_folder_id": 4711, **changed}
    assert api.code("POST", "/model/create", order) == expected
