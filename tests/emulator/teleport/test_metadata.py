import io
import json
import zipfile

import httpx
import numpy as np
import pytest
from PIL import Image

from cupixgeo.emulator.splats import SH_C0


@pytest.fixture(scope="module")
def ready(running, photos_zip):
    """A finished capture; the models are the same for all."""
    from tests.emulator.teleport.conftest import Teleport

    client = Teleport(running)
    capture = client.finish(photos_zip)
    client.close()
    return capture


def v1(teleport, capture, params=()):
    answer = teleport.http.get(f"/share/{capture['sid']}/metadata", params=list(params))
    assert answer.status_code == 200, answer.text
    return answer.json()


def vertices(content):
    head, _, body = content.partition(b"end_header\n")
    lines = head.decode().splitlines()
    names = [line.split()[2] for line in lines if line.startswith("property float")]
    count = int(next(line.split()[2] for line in lines if line.startswith("element vertex")))
    table = np.frombuffer(body, "<f4").reshape(count, len(names)).astype(float)
    return dict(zip(names, table.T, strict=True)), lines


def nearest_m(points, cloud):
    """Distance [m] of each point to the nearest one of a cloud."""
    return np.array([np.linalg.norm(cloud - p, axis=1).min() for p in points])


def test_a_capture_that_is_not_ready_has_no_metadata(emu, teleport, photos_zip):
    eid = teleport.upload(photos_zip)["eid"]
    sid = next(c.sid for c in emu.service("teleport").captures if c.eid == eid)
    for path in (f"/share/{sid}/metadata", f"/api/v2/captures/{sid}/metadata"):
        assert teleport.get(path).status_code == 404


def test_v1_has_the_documented_keys(teleport, ready):
    answer = v1(teleport, ready)
    required = {
        "eid", "name", "segmented_capture_eid", "profile_name", "lod", "model_urls", "cameras",
        "models",
    }  # fmt: skip
    assert required <= answer.keys()
    assert (answer["eid"], answer["sid"], answer["nominal_ev"]) == (ready["eid"], ready["sid"], 0)
    assert (answer["profile_name"], answer["lod"]) == ("ply", False)
    (model,) = answer["models"]
    assert model.keys() == {"url", "size", "id", "aabb", "resolution_range", "parent"}
    assert answer["model_urls"] == [model["url"]]


def test_a_model_is_fetched_without_a_token_and_in_pieces(emu, teleport, ready):
    (model,) = v1(teleport, ready)["models"]
    assert model["url"].startswith(emu.storage_url)
    head = teleport.store.get(model["url"], headers={"Range": "bytes=0-99"})
    assert (head.status_code, len(head.content)) == (206, 100)
    whole = teleport.store.get(model["url"])
    assert len(whole.content) == model["size"] == int(whole.headers["Content-Length"])
    emu.clock.advance(emu.options.link_lifetime_s)
    assert teleport.store.get(model["url"]).status_code == 403


def test_the_splat_ply_is_the_real_scan_and_says_that_it_is_recorded(emu, teleport, ready):
    (model,) = v1(teleport, ready)["models"]
    columns, lines = vertices(teleport.store.get(model["url"]).content)
    assert any("recorded" in line for line in lines if line.startswith("comment"))
    centres = np.column_stack([columns[name] for name in "xyz"])
    assert len(centres) > 10_000
    site = emu.world.brighton
    back = np.linalg.inv(emu.service("teleport").metadata.scene.truth)
    on_map = centres @ back[:3, :3].T + back[:3, 3]
    assert nearest_m(on_map[::400], site.original_xyz).max() < 0.5
    size = site.original_xyz.max(axis=0) - site.original_xyz.min(axis=0)
    np.testing.assert_allclose(on_map.max(axis=0) - on_map.min(axis=0), size, atol=1.0)


def test_the_splats_are_physical(teleport, ready):
    (model,) = v1(teleport, ready)["models"]
    columns, _ = vertices(teleport.store.get(model["url"]).content)
    quaternions = np.column_stack([columns[f"rot_{n}"] for n in range(4)])
    np.testing.assert_allclose(np.linalg.norm(quaternions, axis=1), 1, atol=1e-6)
    rgb = 0.5 + SH_C0 * np.column_stack([columns[f"f_dc_{n}"] for n in range(3)])
    assert -1e-6 < rgb.min() < 0.2 < 0.8 < rgb.max() < 1 + 1e-6
    alpha = 1 / (1 + np.exp(-columns["opacity"]))
    assert 0 < alpha.min() < alpha.max() < 1
    lo, hi = np.array(model["aabb"]["min"]), np.array(model["aabb"]["max"])
    sigmas = np.exp(np.column_stack([columns[f"scale_{n}"] for n in range(3)]))
    assert 0 < sigmas.min() < sigmas.max() < (hi - lo).max() / 50
    assert not columns["nx"].any()


def test_y_points_down(emu, teleport, ready):
    poses = np.array([c["matrix"] for c in v1(teleport, ready)["cameras"]]).reshape(-1, 4, 4)
    (model,) = v1(teleport, ready)["models"]
    # cameras are above the ground, so their y is smaller than that of everything else
    assert poses[:, 1, 3].max() < model["aabb"]["min"][1]
    np.testing.assert_array_equal(poses[:, 3], np.tile([0, 0, 0, 1.0], (18, 1)))
    turns = poses[:, :3, :3]
    np.testing.assert_allclose(
        turns @ turns.transpose(0, 2, 1), np.tile(np.eye(3), (18, 1, 1)), atol=1e-9
    )
    np.testing.assert_allclose(turns[:, :, 2], np.tile([0, 1.0, 0], (18, 1)), atol=1e-9)


def test_profiles_are_looked_through_in_their_order(teleport, ready):
    chosen = v1(teleport, ready, [("profiles", "ksplat-v2-compress0"), ("profiles", "sogs-sh0")])
    assert chosen["profile_name"] == "sogs-sh0"
    for profile in ("fragment-chunk1", "plie"):
        path = f"/share/{ready['sid']}/metadata"
        assert teleport.get(path, profiles=profile).status_code == 404


@pytest.mark.parametrize("query", [{"quality": "uhd"}, {"lod": "maybe"}, {"use_cdn": "x"}])
def test_a_nonsense_question_is_refused(teleport, ready, query):
    assert teleport.get(f"/share/{ready['sid']}/metadata", **query).status_code == 422


def test_less_quality_is_a_smaller_file_and_the_origin_another_place(teleport, ready):
    hd, sd, origin = (
        v1(teleport, ready, [pair])["models"][0]
        for pair in (("quality", "hd"), ("quality", "sd"), ("use_cdn", "false"))
    )
    assert sd["size"] < hd["size"] / 2
    assert httpx.URL(hd["url"]).path != httpx.URL(origin["url"]).path
    assert teleport.store.get(origin["url"]).content == teleport.store.get(hd["url"]).content


def test_the_tree_of_details_has_a_root_and_two_children_that_make_the_whole(teleport, ready):
    answer = v1(teleport, ready, [("lod", "true")])
    root, *children = answer["models"]
    assert answer["lod"] is True
    assert (root["parent"], root["id"]) == (None, "0")
    assert [child["parent"] for child in children] == ["0", "0"]
    counts = [len(vertices(teleport.store.get(m["url"]).content)[0]["x"]) for m in children]
    (whole,) = v1(teleport, ready)["models"]
    assert sum(counts) == len(vertices(teleport.store.get(whole["url"]).content)[0]["x"])
    assert root["size"] < min(child["size"] for child in children)


def test_the_sogs_bundle_has_six_files_that_decode_to_the_same_places(teleport, ready):
    (model,) = v1(teleport, ready, [("profiles", "sogs-sh0")])["models"]
    bundle = zipfile.ZipFile(io.BytesIO(teleport.store.get(model["url"]).content))
    assert len(bundle.namelist()) == 6
    meta = json.loads(bundle.read("meta.json"))
    low, high = (
        np.asarray(Image.open(io.BytesIO(bundle.read(name))).convert("RGBA")).reshape(-1, 4)
        for name in meta["means"]["files"]
    )
    assert len(low) == meta["means"]["shape"][0]
    mins, maxs = (np.array(meta["means"][name]) for name in ("mins", "maxs"))
    steps = low[:, :3].astype(int) | (high[:, :3].astype(int) << 8)
    n = mins + (maxs - mins) * steps / 65535
    places = np.sign(n) * np.expm1(np.abs(n))
    (ply,) = v1(teleport, ready)["models"]
    columns, _ = vertices(teleport.store.get(ply["url"]).content)
    centres = np.column_stack([columns[name] for name in "xyz"])
    assert nearest_m(places[::200], centres).max() < 1e-3


def test_cameras_come_in_each_form_that_is_thought_of(emu, teleport, settings, ready):
    whole = np.array(v1(teleport, ready)["cameras"][3]["matrix"]).reshape(4, 4)
    emu.options.matrix_order = "column"
    turned = np.array(v1(teleport, ready)["cameras"][3]["matrix"]).reshape(4, 4)
    emu.options.matrix_order = "row"
    np.testing.assert_array_equal(turned.T, whole)
    settings.camera_numbers = 12
    np.testing.assert_array_equal(v1(teleport, ready)["cameras"][3]["matrix"], whole[:3].ravel())
    settings.camera_numbers = 7
    seven = v1(teleport, ready)["cameras"][3]["matrix"]
    np.testing.assert_array_equal(seven[:3], whole[:3, 3])
    assert np.linalg.norm(seven[3:]) == pytest.approx(1)


def test_a_correction_is_told_where_there_is_one(teleport, settings, ready):
    assert "reposition_data" not in v1(teleport, ready)
    settings.reposition = (0.0, 0.0, 1.0, 0.0, 2.5)
    assert v1(teleport, ready)["reposition_data"] == {
        "rotation_x": 0.0, "rotation_y": 0.0, "rotation_z": 1.0, "rotation_w": 0.0, "scale": 2.5,
    }  # fmt: skip


def test_v2_echoes_the_choice_and_names_model_and_cameras(emu, teleport, ready):
    path = f"/api/v2/captures/{ready['sid']}/metadata"
    answer = teleport.get(path, content_profile="ply", coord_system="colmap").json()
    assert (answer["content_profile"], answer["coord_system"]) == ("ply", "colmap")
    assert (answer["sid"], answer["name"]) == (ready["sid"], ready["name"])
    columns, _ = vertices(teleport.store.get(answer["model_url"]).content)
    cameras = teleport.store.get(answer["cameras_url"]).json()["cameras"]
    assert [camera["image_name"] for camera in cameras[:2]] == ["DJI_0018.JPG", "DJI_0019.JPG"]
    assert len(cameras) == 18
    assert np.array(cameras[0]["position"])[1] < columns["y"].min()
    assert teleport.get(path).json()["coord_system"] == "default"
    cropped = teleport.get(path, crop_variant="autocrop").json()["model_url"]
    assert len(vertices(teleport.store.get(cropped).content)[0]["x"]) < len(columns["x"])


@pytest.mark.parametrize(
    "query", [{"content_profile": "obj"}, {"coord_system": "unity"}, {"crop_variant": "tight"}]
)
def test_v2_knows_no_other_combination(teleport, ready, query):
    assert teleport.get(f"/api/v2/captures/{ready['sid']}/metadata", **query).status_code == 404


def test_v2_takes_a_segment_behind_a_dash(emu, teleport, ready):
    segment = next(c.segment for c in emu.service("teleport").captures if c.eid == ready["eid"])
    path = "/api/v2/captures/{}/metadata"
    assert teleport.get(path.format(f"{ready['sid']}-{segment}")).status_code == 200
    assert teleport.get(path.format(f"{ready['sid']}-nothing")).status_code == 404


def test_a_share_page_needs_a_token_unless_it_is_public(teleport, settings, ready):
    url = f"{teleport.base_url}/share/{ready['sid']}/metadata"
    assert teleport.store.get(url).status_code == 401
    settings.share_is_public = True
    assert teleport.store.get(url).status_code == 200


def test_the_gps_transformation_leads_back_to_the_map(emu, teleport, ready):
    answer = teleport.get(f"/api/v2/captures/{ready['sid']}/metadata").json()
    matrix = np.array(answer["gps_transformation"]["matrix"]).reshape(4, 4)
    cameras = teleport.store.get(answer["cameras_url"]).json()["cameras"]
    on_map = matrix[:3, :3] @ np.array(cameras[0]["position"]) + matrix[:3, 3]
    photo = emu.world.brighton.photos[0].photo
    from pyproj import Transformer

    to_map = Transformer.from_crs("EPSG:4326", "EPSG:32615", always_xy=True)
    expected = (*to_map.transform(photo.lon_deg, photo.lat_deg), photo.alt_m)
    np.testing.assert_allclose(on_map, expected, atol=1e-3)
