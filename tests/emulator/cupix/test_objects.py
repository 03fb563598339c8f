"""Single objects, their meta and their matrices."""

import math

import numpy as np
import pyproj
import pytest

from cupixgeo.emulator import Emulator
from tests.emulator.conftest import Api

COUNT_OF_BRIGHTON = 940_393


@pytest.mark.parametrize(
    "path",
    [
        "/pointclouds/999999", "/pointclouds/abc", "/pointclouds/999999/meta",
        "/pointclouds/999999/download", "/pointclouds/999999/resources/ply/download",
        "/facilities/12", "/facilities/nobody", "/records/999999", "/reviews/nobody/records",
        "/pointclouds/" + "9" * 5000,
    ],
)  # fmt: skip
def test_an_unknown_object_is_404_without_a_body(api, path):
    response = api.get(path, fields="id")
    assert (response.status_code, response.content) == (404, b"")


def test_every_kind_can_be_fetched_alone(api, ids):
    paths = {
        f"/facilities/{ids.facility_key}": "facility",
        f"/records/{ids.record}": "record",
        f"/levels/{ids.level}": "level",
        f"/captures/{ids.captures[0]}": "capture",
        f"/clusters/{ids.cluster}": "cluster",
        f"/panos/{ids.first_pano}": "pano",
        f"/meshes/{ids.odd.moved_mesh}": "mesh",
        f"/workspaces/{ids.workspace}": "workspace",
    }
    for path, kind in paths.items():
        assert api.result(path, fields="id")["data"]["type"] == kind


def test_meta_comes_bare_with_a_message(api, ids):
    reply = api.get(f"/pointclouds/{ids.sub}/meta").json()
    assert reply.keys() == {"result", "session", "message"}
    assert reply["message"] is None
    assert reply["result"] == api.attributes(f"/pointclouds/{ids.sub}", fields="meta")["meta"]
    assert reply["result"].keys() == {"prop", "potree"}
    assert reply["result"]["prop"].keys() == {
        "tm", "wtm", "original_file_name", "original_point_count", "original_size_in_mb",
    }  # fmt: skip


def test_one_key_of_meta_can_be_fetched(api, ids):
    whole = api.result(f"/pointclouds/{ids.group}/meta")
    assert api.result(f"/pointclouds/{ids.group}/meta/prop") == whole["prop"]
    assert whole["prop"].keys() == {"tm", "wtm", "scale", "wscale"}
    assert api.get(f"/pointclouds/{ids.group}/meta/user_prop").status_code == 404


def test_the_example_ids_form_one_family(api, ids):
    sub = api.attributes(f"/pointclouds/{ids.sub}", fields="kind,pointcloud_type,cluster,parent")
    assert (sub["kind"], sub["pointcloud_type"]) == ("sub", "uploaded")
    assert (sub["cluster"]["id"], sub["parent"]["id"]) == (3416, ids.group) == (3416, 5300)
    scaled = api.attributes(
        f"/pointclouds/{ids.scaled_sub}", fields="pointcloud_type,parent,cluster"
    )
    assert scaled["pointcloud_type"] == "3d_reconstructed"
    assert scaled["parent"]["id"] == ids.scaled_group
    assert scaled["cluster"]["id"] == ids.scaled_cluster


def test_counts_and_sizes_are_those_of_the_files(api, ids):
    rows = api.rows(
        "/pointclouds", fields="id,points_count,filesize,meta,kind", record_id=ids.record
    )
    subs = [row for row in rows if row["kind"] == "sub"]
    assert sum(row["points_count"] for row in subs) == COUNT_OF_BRIGHTON
    for row in subs:
        prop = row["meta"]["prop"]
        assert prop["original_point_count"] == row["points_count"]
        content = api.fetch(api.link(f"/pointclouds/{row['id']}/download")).content
        assert row["filesize"] == len(content)
        assert prop["original_size_in_mb"] == round(len(content) / 2**20, 2)


def matrices(api, path, *keys):
    prop = api.result(f"{path}/meta")["prop"]
    return [np.reshape(prop[key], (4, 4)) for key in keys]


def test_wtm_is_the_group_s_times_the_sub_s_own(api, ids):
    rows = api.rows("/pointclouds", fields="id,parent,kind", record_id=ids.record)
    for row in rows:
        tm, wtm = matrices(api, f"/pointclouds/{row['id']}", "tm", "wtm")
        if row["kind"] == "group":
            np.testing.assert_array_equal(wtm, tm)
        else:
            (above,) = matrices(api, f"/pointclouds/{row['parent']['id']}", "wtm")
            np.testing.assert_allclose(wtm, above @ tm, rtol=0, atol=1e-12)


def test_one_group_is_turned_by_thirty_degrees_and_one_is_scaled(api, ids):
    (tm,) = matrices(api, f"/pointclouds/{ids.group}", "tm")
    assert math.degrees(math.atan2(tm[1, 0], tm[0, 0])) == pytest.approx(30, abs=0.1)
    scales = [
        api.result(f"/pointclouds/{group}/meta/prop")["wscale"]
        for group in (ids.group, ids.scaled_group)
    ]
    assert scales == [[1.0, 1.0, 1.0], [0.85, 0.85, 0.85]]
    (wtm,) = matrices(api, f"/pointclouds/{ids.scaled_group}", "wtm")
    np.testing.assert_allclose(np.linalg.norm(wtm[:3, :3], axis=0), 1, atol=1e-12)


def test_the_cluster_carries_the_matrices_of_its_group(api, ids):
    cluster = matrices(api, f"/clusters/{ids.cluster}", "tm", "wtm")
    np.testing.assert_array_equal(cluster, matrices(api, f"/pointclouds/{ids.group}", "tm", "wtm"))


def test_matrices_are_row_major_unless_the_switch_says_otherwise(api, emu, ids):
    path = f"/pointclouds/{ids.sub}/meta/prop"
    by_row = np.reshape(api.result(path)["tm"], (4, 4))
    emu.options.matrix_order = "column"
    by_column = np.reshape(api.result(path)["tm"], (4, 4))
    np.testing.assert_array_equal(by_column, by_row.T)
    np.testing.assert_array_equal(by_row[3], [0, 0, 0, 1])
    with Emulator(7, matrix_order="column") as other, Api(other) as other_api:
        assert other_api.result(path)["tm"] == by_column.ravel().tolist()


def test_the_facility_s_x_and_y_are_text_in_web_mercator(api, ids):
    value = api.attributes(f"/facilities/{ids.facility_key}", fields="georeference")["georeference"]
    assert value.keys() == {"epsg_code", "x", "y", "z", "lat", "lon", "alt", "bearing"}
    assert value["epsg_code"] == "4326"
    assert value["bearing"] == 23.5
    assert isinstance(value["x"], str)
    assert value["z"] is None
    to_mercator = pyproj.Transformer.from_crs("EPSG:4326", "EPSG:3857", always_xy=True)
    x, y = to_mercator.transform(value["lon"], value["lat"])
    assert float(value["x"]) == pytest.approx(x, abs=1e-6)
    assert float(value["y"]) == pytest.approx(y, abs=1e-6)


def test_one_facility_has_only_projected_coordinates(api, ids):
    fields = "georeference,use_georeference,bearing"
    facility = api.attributes(f"/facilities/{ids.big_facility_key}", fields=fields)
    assert facility["georeference"] == {
        "epsg_code": "32632", "x": "565210.5", "y": "5933480.25", "z": "8.25",
        "lat": None, "lon": None, "alt": None, "bearing": -12.0,
    }  # fmt: skip
    pano = api.attributes(f"/panos/{ids.big_first_pano}", fields="geo_coordinate,gps")
    assert pano["geo_coordinate"]["pos"] == [0.0, 0.0, 1.7]
    to_utm = pyproj.Transformer.from_crs("EPSG:4979", "EPSG:32632", always_xy=True)
    gps = pano["gps"]
    where = to_utm.transform(gps["lon"], gps["lat"], gps["alt"])
    np.testing.assert_allclose(where, [565210.5, 5933480.25, 8.25 + 1.7], atol=1e-6)


def test_one_facility_is_not_georeferenced(api, ids):
    facility = api.attributes(
        f"/facilities/{ids.local_facility_key}", fields="georeference,use_georeference"
    )
    assert facility == {"georeference": None, "use_georeference": False}
    rows = api.rows("/pointclouds", fields="kind", record_id=ids.local_record)
    assert [row["kind"] for row in rows] == ["group", "sub", "sub"]


def test_photos_are_panos_aligned_or_not(api, ids):
    fields = "id,name,cluster,geo_coordinate,gps,captured_at,record,capture"
    panos = api.rows("/panos", fields=fields, filter=f"record_id={ids.record}")
    assert [pano["name"] for pano in panos] == [f"DJI_{n:04d}" for n in range(18, 36)]
    assert panos[0]["captured_at"] == "2016-06-23T16:31:59.000Z"
    assert panos[0]["gps"]["lat"] == pytest.approx(46.8426070833, abs=1e-9)
    for pano in panos:
        aligned = pano["geo_coordinate"] is not None
        assert (pano["cluster"]["id"] is not None) == aligned
        if aligned:
            assert len(pano["geo_coordinate"]["pos"]) == 3
            assert math.hypot(*pano["geo_coordinate"]["quat"]) == pytest.approx(1)
        else:
            assert pano["cluster"] == {"id": None, "name": None}
    assert sum(pano["geo_coordinate"] is None for pano in panos) == 3
    assert {pano["cluster"]["id"] for pano in panos} == {3416, 3417, None}
    assert api.rows(f"/panos/{ids.first_pano}/resources", fields="id") == []
