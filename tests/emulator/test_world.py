"""The published world leads back to the original scan, without the emulator's own maths."""

import io

import laspy
import numpy as np
import pyproj
import pytest

from cupixgeo.emulator.world import EAST, WEST, find_data, world_of

SUBS = (*WEST.sub_ids, *EAST.sub_ids)


@pytest.fixture(scope="module")
def original():
    return laspy.read(world_of(7).brighton.original_path)


def test_every_point_is_in_exactly_one_sub(original):
    subs = world_of(7).brighton.subs
    assert tuple(subs) == SUBS
    rows = np.concatenate([sub.original_indices for sub in subs.values()])
    np.testing.assert_array_equal(np.sort(rows), np.arange(len(original.points)))
    assert min(sub.point_count for sub in subs.values()) > 50_000


def test_rows_of_a_sub_keep_the_order_of_the_scan():
    for sub in world_of(7).brighton.subs.values():
        assert (np.diff(sub.original_indices) > 0).all()


def test_another_seed_cuts_and_moves_differently():
    seven, eight = (world_of(seed).brighton.subs[5310] for seed in (7, 8))
    assert seven.point_count != eight.point_count
    assert not np.allclose(seven.tm, eight.tm)
    assert world_of(7) is world_of(7)


@pytest.mark.parametrize("plan", [WEST, EAST])
def test_matrices_are_rigid_and_no_two_subs_share_a_frame(plan):
    subs = [world_of(7).brighton.subs[i] for i in plan.sub_ids]
    for sub in subs:
        for matrix in (sub.tm, sub.cluster_to_facility):
            turn = matrix[:3, :3]
            np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-14)
            assert np.linalg.det(turn) == pytest.approx(1)
            assert np.abs(matrix[:3, 3]).max() > 1
        tilt = np.degrees(np.arccos(sub.wtm[2, 2]))
        assert tilt > 0.1
        assert sub.scale == plan.scale
    assert len({sub.tm.tobytes() for sub in subs}) == len(subs)


def published_chain(api, ids, sub_id):
    """Matrix (4, 4) from file to facility, and the georeference, from nothing but replies."""
    sub = api.attributes(f"/pointclouds/{sub_id}", fields="meta,parent,facility")
    group = api.attributes(f"/pointclouds/{sub['parent']['id']}", fields="meta")
    wtm = np.reshape(sub["meta"]["prop"]["wtm"], (4, 4))
    wscale = np.diag([*group["meta"]["prop"]["wscale"], 1.0])
    key = sub["facility"]["key"]
    assert key == ids.facility_key
    return wtm @ wscale, api.attributes(f"/facilities/{key}", fields="georeference")["georeference"]


def to_map(xyz, matrix, georeference):
    """Apply the chain with closed-form geocentric maths and PROJ's EPSG database."""
    local = (matrix @ np.column_stack([xyz, np.ones(len(xyz))]).T)[:3]
    beta, lat, lon = np.radians([georeference[n] for n in ("bearing", "lat", "lon")])
    x, y, up = local
    east = x * np.cos(beta) + y * np.sin(beta)
    north = -x * np.sin(beta) + y * np.cos(beta)
    a, f = 6378137.0, 1 / 298.257223563
    e2 = f * (2 - f)
    n = a / np.sqrt(1 - e2 * np.sin(lat) ** 2)
    h = georeference["alt"]
    origin = np.array(
        [
            (n + h) * np.cos(lat) * np.cos(lon),
            (n + h) * np.cos(lat) * np.sin(lon),
            (n * (1 - e2) + h) * np.sin(lat),
        ]
    )
    axes = np.array(
        [
            [-np.sin(lon), np.cos(lon), 0],
            [-np.sin(lat) * np.cos(lon), -np.sin(lat) * np.sin(lon), np.cos(lat)],
            [np.cos(lat) * np.cos(lon), np.cos(lat) * np.sin(lon), np.sin(lat)],
        ]
    )
    geocentric = origin + np.stack([east, north, up], axis=-1) @ axes
    lon_lat_h = pyproj.Transformer.from_crs("EPSG:4978", "EPSG:4979", always_xy=True).transform(
        *geocentric.T
    )
    to_utm = pyproj.Transformer.from_crs("EPSG:4979", "EPSG:32615", always_xy=True)
    return np.stack(to_utm.transform(*lon_lat_h), axis=-1)


def read_ply(content):
    head, _, body = content.partition(b"end_header\n")
    kinds = {"double": "<f8", "ushort": "<u2", "uchar": "u1"}
    layout = [
        (line.split()[2], kinds[line.split()[1]])
        for line in head.decode().splitlines()
        if line.startswith("property")
    ]
    return np.frombuffer(body, layout)


@pytest.mark.parametrize("sub_id", SUBS)
def test_the_published_chain_leads_back_to_the_original_scan(api, ids, original, sub_id):
    if sub_id in WEST.sub_ids:
        link = api.link(f"/pointclouds/{sub_id}/download")
        cloud = laspy.read(io.BytesIO(api.fetch(link).content))
        xyz = cloud.xyz
        names = [d for d in original.point_format.dimension_names if d not in ("X", "Y", "Z")]
        if cloud.point_format.id == 7:
            names = [n for n in names if n != "scan_angle_rank"]  # LAS 1.4 has scan_angle
    else:
        link = api.link(f"/pointclouds/{sub_id}/resources/ply/download")
        cloud = read_ply(api.fetch(link).content)
        xyz = np.column_stack([cloud[axis] for axis in "xyz"])
        names = [name for name in cloud.dtype.names if name not in "xyz"]
    rows = api.emulator.world.brighton.subs[sub_id].original_indices
    back = to_map(xyz, *published_chain(api, ids, sub_id))
    assert len(back) == len(rows)
    assert np.abs(back - original.xyz[rows]).max() < 2e-4
    for name in names:
        np.testing.assert_array_equal(cloud[name], np.asarray(original[name])[rows], err_msg=name)


def test_what_a_reconstruction_s_ply_leaves_out_is_constant_in_the_scan(original):
    kept = {"red", "green", "blue", "user_data", "return_number", "number_of_returns"}
    for name in set(original.point_format.dimension_names) - kept - {"X", "Y", "Z"}:
        assert not np.asarray(original[name]).any(), name


def test_truth_and_publication_are_the_same_chain(api, ids):
    for sub_id, sub in api.emulator.world.brighton.subs.items():
        matrix, _ = published_chain(api, ids, sub_id)
        np.testing.assert_allclose(sub.sub_to_facility, matrix, rtol=0, atol=1e-12)
        product = sub.cluster_to_facility @ sub.sub_to_cluster
        np.testing.assert_allclose(product, matrix, rtol=0, atol=1e-12)


def test_files_are_on_a_tenth_of_a_millimetre_without_crs(api, ids):
    formats = []
    for sub_id in WEST.sub_ids:
        content = api.fetch(api.link(f"/pointclouds/{sub_id}/download")).content
        with laspy.open(io.BytesIO(content)) as reader:
            assert reader.header.scales.tolist() == [1e-4] * 3
            assert reader.header.parse_crs() is None
            formats.append((reader.header.point_format.id, str(reader.header.version)))
    assert formats == [(7, "1.4"), (3, "1.2"), (7, "1.4"), (3, "1.2")]
    link = api.link(f"/pointclouds/{ids.scaled_sub}/resources/ply/download")
    ply = read_ply(api.fetch(link).content)
    np.testing.assert_array_equal(np.round(ply["x"], 4), ply["x"])


def test_photos_are_above_the_scan_and_look_down():
    brighton = world_of(7).brighton
    for placed in brighton.photos:
        x, y, z = placed.pos
        assert abs(x) < 70
        assert abs(y) < 70
        assert 40 < z < 55
        qx, qy, qz, qw = placed.quat
        forward = (2 * (qx * qy - qz * qw), 1 - 2 * (qx**2 + qz**2), 2 * (qy * qz + qx * qw))
        assert forward[2] < -0.99
    assert [p.cluster_id for p in brighton.photos].count(None) == 3


def test_a_photo_s_upper_edge_points_where_the_gimbal_was_heading():
    brighton = world_of(7).brighton
    for placed in brighton.photos:
        qx, qy, qz, qw = placed.quat
        top = np.array([2 * (qx * qz + qy * qw), 2 * (qy * qz - qx * qw)])
        heading = np.degrees(np.arctan2(top[0], top[1])) + brighton.georeference.bearing_deg
        off = (heading - placed.photo.yaw_deg + 180) % 360 - 180
        assert abs(off) < 0.5


def test_the_scan_is_found_in_a_wheel_first_and_then_in_the_source_tree(tmp_path):
    package = tmp_path / "cupixgeo" / "emulator"
    with pytest.raises(ValueError, match="reinstall cupixgeo"):
        find_data(package)
    for parent in (tmp_path, package):
        folder = parent / "data" / "brighton_beach"
        (folder / "reference").mkdir(parents=True)
        (folder / "reference" / "model.laz").touch()
        assert find_data(package) == folder
