"""The odd cases are as odd as their table says, and nothing else is."""

import io
from dataclasses import asdict

import httpx
import laspy
import numpy as np
import pytest


@pytest.fixture
def odd(ids):
    return ids.odd


def prop(api, pointcloud):
    return api.result(f"/pointclouds/{pointcloud}/meta/prop")


def matrix(api, pointcloud, key="wtm"):
    return np.reshape(prop(api, pointcloud)[key], (4, 4))


def test_every_odd_id_exists_in_the_odd_record_and_no_other(api, ids, odd):
    listed = {r["id"] for r in api.rows("/pointclouds", fields="id", record_id=ids.odd_record)}
    assert listed == set(asdict(odd).values()) - {odd.moved_mesh}


def test_empty_and_missing_matrices(api, odd):
    assert prop(api, odd.empty_matrix)["tm"] == prop(api, odd.empty_matrix)["wtm"] == []
    assert not {"tm", "wtm"} & prop(api, odd.missing_matrix).keys()


def test_the_contradiction_is_one_metre(api, odd):
    chain = matrix(api, odd.plain_group) @ matrix(api, odd.contradiction, "tm")
    off = matrix(api, odd.contradiction) - chain
    assert off[0, 3] == pytest.approx(1.0)
    off[0, 3] = 0
    np.testing.assert_allclose(off, 0, atol=1e-12)


def test_matrices_that_are_no_placement(api, odd):
    tm = matrix(api, odd.not_affine, "tm")
    assert np.abs(tm[3, :3]).max() > 0
    assert np.abs(tm[:3, 3]).max() > 0
    assert np.linalg.det(matrix(api, odd.mirrored)[:3, :3]) == pytest.approx(-1)
    sheared = matrix(api, odd.sheared)[:3, :3]
    assert np.linalg.det(sheared) == pytest.approx(1)
    assert np.abs(sheared.T @ sheared - np.eye(3)).max() > 0.1


def test_the_ambiguous_matrix_reads_both_ways(api, odd):
    tm = matrix(api, odd.ambiguous, "tm")
    assert not tm[:3, 3].any()
    assert not tm[3, :3].any()
    assert np.abs(tm - tm.T).max() > 0.1


@pytest.mark.parametrize(("which", "length"), [("baked_scale", 1.25), ("odd_scale", 1.1)])
def test_scales_inside_the_matrix(api, odd, which, length):
    group, sub = getattr(odd, f"{which}_group"), getattr(odd, which)
    assert prop(api, group)["wscale"] == [1.25] * 3
    for item in (group, sub):
        columns = np.linalg.norm(matrix(api, item)[:3, :3], axis=0)
        np.testing.assert_allclose(columns, length, atol=1e-12)
    np.testing.assert_allclose(
        matrix(api, sub), matrix(api, group) @ matrix(api, sub, "tm"), atol=1e-12
    )


def test_what_a_person_moved_has_user_prop_beside_prop(api, odd):
    for path in (f"/pointclouds/{odd.moved_group}", f"/meshes/{odd.moved_mesh}"):
        meta = api.attributes(path, fields="meta")["meta"]
        assert meta["user_prop"]["tm"] != meta["prop"]["tm"]
        assert meta["user_prop"]["unit"] == {"ver": 1, "label": "m", "scale_factor": 1}
    moved = np.reshape(api.result(f"/pointclouds/{odd.moved_group}/meta/user_prop")["wtm"], (4, 4))
    np.testing.assert_allclose(matrix(api, odd.moved), moved @ matrix(api, odd.moved, "tm"))
    assert "user_prop" not in api.result(f"/pointclouds/{odd.plain_group}/meta")
    mesh = api.attributes(f"/meshes/{odd.moved_mesh}", fields="meta")["meta"]
    assert mesh["prop"]["bounding_box"] == {"min": [0, 0, 0], "max": [1, 1, 0]}


def test_a_group_without_a_cluster(api, odd):
    for item in (odd.no_cluster_group, odd.no_cluster):
        cluster = api.attributes(f"/pointclouds/{item}", fields="cluster")["cluster"]
        assert cluster == {"id": None, "name": None}


def test_a_text_ply(api, odd):
    content = api.fetch(api.link(f"/pointclouds/{odd.ascii_ply}/resources/ply/download")).content
    head, _, body = content.partition(b"end_header\n")
    assert b"format ascii 1.0" in head
    assert len(body.splitlines()) == prop(api, odd.ascii_ply)["original_point_count"] == 120


def test_a_reconstruction_in_the_making_has_no_files(api, odd):
    row = api.attributes(f"/pointclouds/{odd.not_ready}", fields="state,ply_uploaded_at")
    assert row == {"state": "created", "ply_uploaded_at": None}
    for path in ("download", "resources/ply/download"):
        assert api.get(f"/pointclouds/{odd.not_ready}/{path}").status_code == 404


def test_a_file_name_that_wants_out(api, odd):
    row = api.attributes(f"/pointclouds/{odd.hostile_name}", fields="name,entry_filename")
    assert row["name"].startswith("<script>")
    assert row["entry_filename"] == "../../evil/<b>.laz"
    link = api.link(f"/pointclouds/{odd.hostile_name}/download")
    assert ".." not in httpx.URL(link).path
    response = api.fetch(link)
    assert 'filename="../../evil/<b>.laz"' in response.headers["Content-Disposition"]
    assert len(laspy.read(io.BytesIO(response.content)).points) == 120


def test_georeferences_beside_the_facility_s(api, odd, ids):
    fields = "georeference,use_georeference,constants"
    own = api.attributes(f"/pointclouds/{odd.own_georeference}", fields=fields)
    frozen = api.attributes(f"/pointclouds/{odd.frozen_georeference}", fields=fields)
    plain = api.attributes(f"/pointclouds/{odd.plain_group}", fields=fields)
    assert own["use_georeference"]
    assert own["georeference"]["bearing"] == 45.0
    assert not frozen["use_georeference"]
    assert frozen["constants"]["georeference"] == own["georeference"]
    assert plain == {
        "georeference": None,
        "use_georeference": False,
        "constants": {"georeference": None},
    }


def test_a_correction_against_the_bim_is_announced(api, odd):
    row = api.attributes(f"/pointclouds/{odd.bim_aligned}", fields="use_bim_icp_tm,bim_icp_tm")
    assert row["use_bim_icp_tm"]
    assert len(row["bim_icp_tm"]["tm"]) == 16


def test_the_main_record_has_nothing_odd(api, ids):
    fields = "id,kind,meta,cluster,state,use_bim_icp_tm,use_georeference"
    for row in api.rows("/pointclouds", fields=fields, record_id=ids.record):
        assert row["state"] == "done"
        assert row["cluster"]["id"] in (ids.cluster, ids.scaled_cluster)
        assert not row["use_bim_icp_tm"]
        assert not row["use_georeference"]
        wtm = np.reshape(row["meta"]["prop"]["wtm"], (4, 4))
        np.testing.assert_allclose(wtm[:3, :3] @ wtm[:3, :3].T, np.eye(3), atol=1e-12)
        assert np.linalg.det(wtm) == pytest.approx(1)
