"""The result archives, read by other programs' libraries and by hand."""

from __future__ import annotations

import io
import json
import struct
from xml.etree import ElementTree

import laspy
import numpy as np
import pytest
from PIL import Image
from pyproj import CRS, Transformer

from tests.emulator.flighthub.conftest import GEO, START, start_body

EVERYTHING = {
    "output_mesh": True, "generate_b3dm": True, "generate_osgb": True, "generate_obj": True,
    "generate_ply": True, "output_pointcloud": True, "generate_pnts": True, "generate_las": True,
    "generate_point_ply": True, "generate_pcd": True, "output_geo_desc": GEO,
}  # fmt: skip
HOME = "models/pc/0"


@pytest.fixture
def made(emu, api, resource):
    """Make an archive: kind, then its parameter."""

    def made(kind, parameter, files=None):
        source = resource if files is None else api.resource(files)
        uuid = api.start(source, **{kind: parameter})[f"model_{kind}"]["uuid"]
        emu.clock.advance(10_000)
        return api.archive(uuid)

    return made


@pytest.fixture
def truth(emu):
    """Every 40th point of the owner's scan, EPSG:32615."""
    return emu.world.brighton.original_xyz[::40]


def las_of(archive, name=f"{HOME}/terra_las/cloud_merged.las"):
    return laspy.read(io.BytesIO(archive.read(name)))


def vertices(content, dtype="<f4", extra=0):
    """Read the vertices of a binary PLY by hand."""
    head, _, body = content.partition(b"end_header\n")
    count = int(head.split(b"element vertex ")[1].split()[0])
    row = 3 * np.dtype(dtype).itemsize + extra
    rows = np.frombuffer(body[: count * row], np.uint8).reshape(count, row)
    return rows[:, : row - extra].copy().view(dtype)


def test_an_archive_holds_what_the_flags_say_and_says_that_it_was_recorded(made):
    names = made("3d", EVERYTHING).namelist()
    assert sorted(names) == sorted([
        "RECORDED.txt", "AT/sfm_geo_desc.json",
        f"{HOME}/terra_las/cloud_merged.las", f"{HOME}/terra_point_ply/cloudR.ply",
        f"{HOME}/terra_pcd/cloud_merged.pcd", f"{HOME}/terra_pnts/tileset.json",
        f"{HOME}/terra_pnts/cloud.pnts", f"{HOME}/terra_b3dms/tileset.json",
        f"{HOME}/terra_b3dms/BlockR/tileset.json", f"{HOME}/terra_b3dms/BlockR/BlockR.b3dm",
        f"{HOME}/terra_obj/metadata.xml", f"{HOME}/terra_obj/BlockR/BlockR.obj",
        f"{HOME}/terra_obj/BlockR/BlockR.mtl", f"{HOME}/terra_obj/BlockR/BlockR_0.jpg",
        f"{HOME}/terra_ply/metadata.xml", f"{HOME}/terra_ply/BlockR/BlockR.ply",
        f"{HOME}/terra_osgbs/metadata.xml", f"{HOME}/terra_osgbs/Data/BlockRX/BlockRX.osgb",
        f"{HOME}/report/model_report.json", f"{HOME}/SDK_Log.txt",
    ])  # fmt: skip
    few = made("3d", {"output_mesh": False, "generate_obj": True, "generate_i3s": True})
    assert not [name for name in few.namelist() if "terra_" in name]
    label = few.read("RECORDED.txt").decode()
    assert "RECORDED RESULT" in label
    assert "not made by the emulator: generate_i3s" in label


def test_the_las_is_the_scan_in_the_crs_that_was_asked_for(made, truth):
    las = las_of(made("3d", EVERYTHING))
    assert str(las.header.version) == "1.2"
    assert las.header.parse_crs().to_epsg() == 32615
    assert np.abs(las.xyz - truth).max() <= 0.0005 + 1e-9
    other = las_of(made("3d", {**EVERYTHING, "output_geo_desc": {**GEO, "geo_cs": "EPSG:32616"}}))
    way = Transformer.from_crs(32615, 32616, always_xy=True)
    expected = np.column_stack([*way.transform(*truth.T[:2]), truth[:, 2]])
    assert other.header.parse_crs().to_epsg() == 32616
    assert np.abs(other.xyz - expected).max() < 0.001


def test_degrees_wkt_and_an_offset_are_delivered(made, truth):
    degrees = las_of(made("3d", {**EVERYTHING, "output_geo_desc": {**GEO, "geo_cs": "EPSG:4326"}}))
    assert degrees.header.parse_crs().to_epsg() == 4326
    lon, lat = Transformer.from_crs(32615, 4326, always_xy=True).transform(*truth.T[:2])
    assert np.abs(degrees.xyz[:, :2] - np.column_stack([lon, lat])).max() < 2e-8
    own = CRS.from_proj4("+proj=tmerc +lat_0=46 +lon_0=-92 +x_0=1000 +datum=WGS84 +units=m")
    wkt = {**GEO, "geo_cs": "", "geo_cs_wkt": own.to_wkt()}
    las = las_of(made("3d", {**EVERYTHING, "output_geo_desc": wkt}))
    x, _ = Transformer.from_crs(32615, own, always_xy=True).transform(*truth.T[:2])
    assert str(las.header.version) == "1.4"
    assert las.header.parse_crs().is_projected
    assert np.abs(las.xyz[:, 0] - x).max() < 0.001
    shifted = {**GEO, "offset": [560_000, 5_180_000, 100]}
    near = las_of(made("3d", {**EVERYTHING, "output_geo_desc": shifted}))
    assert np.abs(near.xyz + [560_000, 5_180_000, 100] - truth).max() < 0.001


def test_nothing_is_asked_for_and_the_utm_zone_of_the_photos_is_delivered(made):
    parameter = {k: v for k, v in EVERYTHING.items() if k != "output_geo_desc"}
    archive = made("3d", parameter)
    assert las_of(archive).header.parse_crs().to_epsg() == 32615
    assert b'"geo_cs":"EPSG:32615"' in archive.read(f"{HOME}/SDK_Log.txt")


def test_local_axes_are_delivered(made, truth):
    origin = {"latitude": 46.8425, "longitude": -91.9941, "altitude": 151.25}
    enu = {"cs_type": "LOCAL_ENU_CS", "ref_GPS": origin}
    archive = made("3d", {**EVERYTHING, "output_geo_desc": enu})
    assert b"<SRS>ENU:46.8425,-91.9941</SRS>" in archive.read(f"{HOME}/terra_obj/metadata.xml")
    topocentric = Transformer.from_pipeline(
        "+proj=pipeline +step +inv +proj=utm +zone=15 +ellps=WGS84 +step +proj=cart +ellps=WGS84 "
        "+step +proj=topocentric +ellps=WGS84 +lat_0=46.8425 +lon_0=-91.9941 +h_0=151.25"
    )
    expected = np.column_stack(topocentric.transform(*truth.T))
    assert np.abs(las_of(archive).xyz - expected).max() < 0.001
    local = made("3d", {**EVERYTHING, "output_geo_desc": {"cs_type": "LOCAL_CS"}})
    assert las_of(local).header.parse_crs() is None
    assert b"<SRS>local</SRS>" in local.read(f"{HOME}/terra_ply/metadata.xml")
    assert not [name for name in local.namelist() if "pnts" in name or "b3dm" in name]


def test_a_vertical_crs_without_its_grid_is_refused(api, resource):
    """PROJ has no geoid grid unless somebody installed it; heights would be wrong by metres."""
    vertical = {**GEO, "override_vertical_cs": "EPSG:5773"}
    body = start_body(resource, **{"3d": {**EVERYTHING, "output_geo_desc": vertical}})
    assert api.code("POST", START, body) == (200, 990007)


def test_mesh_vertices_and_their_origin_lie_on_the_scan(made, truth):
    archive = made("3d", EVERYTHING)
    root = ElementTree.fromstring(archive.read(f"{HOME}/terra_ply/metadata.xml"))
    assert root.findtext("SRS") == "EPSG:32615"
    origin = np.array([float(n) for n in root.findtext("SRSOrigin").split(",")])
    ply = vertices(archive.read(f"{HOME}/terra_ply/BlockR/BlockR.ply")) + origin
    obj = archive.read(f"{HOME}/terra_obj/BlockR/BlockR.obj").decode().splitlines()
    rows = [line.split()[1:] for line in obj if line.startswith("v ")]
    assert np.abs(np.array(rows, float) + origin - ply).max() < 0.001
    low, high = truth.min(axis=0), truth.max(axis=0)
    assert (ply >= low - 2).all()
    assert (ply <= high + 2).all()
    faces = np.array([[c.split("/")[0] for c in x.split()[1:]] for x in obj if x[:2] == "f "], int)
    corners = (ply[faces - 1])[:, :, :2]
    (ax, ay), (bx, by) = (corners[:, 1] - corners[:, 0]).T, (corners[:, 2] - corners[:, 0]).T
    assert (ax * by - ay * bx > 0).all()  # seen from above, all turn the same way
    texture = Image.open(io.BytesIO(archive.read(f"{HOME}/terra_obj/BlockR/BlockR_0.jpg")))
    assert texture.format == "JPEG"


def read_tile(archive, folder):
    """Read a tile set's transform and the bytes of its content, through its child if it has one."""
    inner = ""
    while True:
        root = json.loads(archive.read(f"{folder}/{inner}tileset.json"))["root"]
        uri = root["content"]["uri"]
        if not uri.endswith("tileset.json"):
            matrix = np.array(root["transform"]).reshape(4, 4).T
            return matrix, archive.read(f"{folder}/{inner}{uri}")
        inner += uri.removesuffix("tileset.json")


def test_tiles_lie_on_the_earth_where_the_scan_is(made, truth):
    archive = made("3d", EVERYTHING)
    matrix, pnts = read_tile(archive, f"{HOME}/terra_pnts")
    magic, version, size, text, binary = struct.unpack("<4sIIII", pnts[:20])
    assert (magic, version, size) == (b"pnts", 1, len(pnts))
    table = json.loads(pnts[28 : 28 + text])
    assert (28 + text) % 8 == size % 8 == 0
    body = pnts[28 + text : 28 + text + binary]
    count = table["POINTS_LENGTH"]
    xyz = np.frombuffer(body, "<f4", 3 * count).reshape(-1, 3).astype(float)
    earth = xyz @ matrix[:3, :3].T + matrix[:3, 3]
    way = Transformer.from_crs(4978, CRS(32615).to_3d(), always_xy=True)
    assert np.abs(np.column_stack(way.transform(*earth.T)) - truth).max() < 0.001
    mesh_matrix, b3dm = read_tile(archive, f"{HOME}/terra_b3dms")
    assert np.allclose(mesh_matrix, matrix)
    magic, _, size, text, _ = struct.unpack("<4sIIII", b3dm[:20])
    assert (magic, size, size % 8) == (b"b3dm", len(b3dm), 0)
    glb = b3dm[28 + text :]
    assert struct.unpack("<4sII", glb[:12]) == (b"glTF", 2, len(glb))
    chunk = struct.unpack("<I", glb[12:16])[0]
    content = json.loads(glb[20 : 20 + chunk])
    data = glb[28 + chunk :]
    view = content["bufferViews"][0]
    y_up = np.frombuffer(data[: view["byteLength"]], "<f4").reshape(-1, 3)
    enu = np.column_stack([y_up[:, 0], -y_up[:, 2], y_up[:, 1]])
    mesh = np.column_stack(way.transform(*(enu @ matrix[:3, :3].T + matrix[:3, 3]).T))
    origin = las_origin(archive)
    ply = vertices(archive.read(f"{HOME}/terra_ply/BlockR/BlockR.ply")) + origin
    assert np.abs(mesh - ply).max() < 0.01
    image = content["bufferViews"][3]
    start = image["byteOffset"]
    assert data[start : start + 2] == b"\xff\xd8"


def las_origin(archive):
    root = ElementTree.fromstring(archive.read(f"{HOME}/terra_ply/metadata.xml"))
    return np.array([float(n) for n in root.findtext("SRSOrigin").split(",")])


def test_the_frame_of_the_aerotriangulation_is_the_origin(made):
    archive = made("3d", EVERYTHING)
    frame = json.loads(archive.read("AT/sfm_geo_desc.json"))
    way = Transformer.from_crs(CRS(32615).to_3d(), 4979, always_xy=True)
    lon, lat, height = way.transform(*las_origin(archive))
    assert frame["cs_type"] == "LOCAL_ENU_CS"
    assert frame["ref_GPS"] == pytest.approx(
        {"latitude": lat, "longitude": lon, "altitude": height}, abs=1e-6
    )


def test_point_ply_and_pcd_hold_the_scan(made, truth):
    archive = made("3d", EVERYTHING)
    ply = vertices(archive.read(f"{HOME}/terra_point_ply/cloudR.ply"), "<f8", extra=3)
    assert np.abs(ply - truth).max() < 1e-6
    pcd = archive.read(f"{HOME}/terra_pcd/cloud_merged.pcd").partition(b"DATA binary\n")[2]
    assert np.abs(np.frombuffer(pcd, "<f8").reshape(-1, 3) - truth).max() < 1e-6


def tags(content):
    image = Image.open(io.BytesIO(content))
    image.load()
    return image, {number: image.tag_v2.get(number) for number in (33550, 33922, 34735, 42113)}


def test_the_rasters_are_geotiffs_with_their_place(made, truth):
    archive = made("2d", {"map_mode": 1, "output_geo_desc": GEO})
    ortho, place = tags(archive.read("map/result.tif"))
    assert archive.read("map/result.tif")[:4] == b"II\x2b\x00"  # BigTIFF
    assert ortho.mode == "RGBA"
    dsm, same = tags(archive.read("map/dsm.tif"))
    assert dsm.mode == "F"
    assert (place[34735], place[33922]) == (same[34735], same[33922])
    assert place[34735][-1] == 32615
    pixel = place[33550][0]
    heights = np.asarray(dsm)
    assert same[42113].startswith("-9999")
    west, north = place[33922][3:5]
    assert west == pytest.approx(truth[:, 0].min())
    assert north == pytest.approx(truth[:, 1].max())
    known = heights > -9999
    assert (known == (np.asarray(ortho)[..., 3] == 255)).all()
    column = ((truth[:, 0] - west) / pixel).astype(int)
    row = ((north - truth[:, 1]) / pixel).astype(int)
    assert (heights[row, column] >= truth[:, 2] - 1e-3).all()
    assert heights[known].max() == pytest.approx(truth[:, 2].max(), abs=1e-3)
    world = [float(line) for line in archive.read("map/dsm.tfw").split()]
    assert world == pytest.approx([pixel, 0, 0, -pixel, west + pixel / 2, north - pixel / 2])
    assert CRS.from_wkt(archive.read("map/dsm.prj").decode()).to_epsg(20) == 32615
    coarse, decoy = tags(archive.read("map/gsddsm.tif"))
    assert decoy[34735][-1] == 4326
    assert coarse.width < dsm.width


def test_splats_are_in_the_frame_their_descriptor_names(made, truth):
    archive = made("3dgs", {})
    names = archive.namelist()
    assert {"Block000/LOD0/point_cloud.ply", "Block000/LOD1/point_cloud.ply"} <= set(names)
    head = archive.read("Block000/LOD0/point_cloud.ply").partition(b"end_header")[0]
    assert b"property float f_dc_0" in head
    assert b"property float opacity" in head
    xyz = vertices(archive.read("Block000/LOD0/point_cloud.ply"), extra=14 * 4)
    place = json.loads(archive.read("geo_desc.json"))["ref_GPS"]
    way = Transformer.from_pipeline(
        "+proj=pipeline +step +inv +proj=topocentric +ellps=WGS84 "
        f"+lat_0={place['latitude']} +lon_0={place['longitude']} +h_0={place['altitude']} "
        "+step +inv +proj=cart +ellps=WGS84 +step +proj=utm +zone=15 +ellps=WGS84"
    )
    moved = np.column_stack(way.transform(*xyz.astype(float).T))
    assert np.abs(moved.mean(axis=0) - truth.mean(axis=0)).max() < 10
    assert (moved >= truth.min(axis=0) - 1).all()
    assert (moved <= truth.max(axis=0) + 1).all()


def test_lidar_products_have_their_own_folder(made, photos):
    parameter = {"generate_las": True, "ground_extract": True, "generate_dem": True,
                 "output_geo_desc": GEO}  # fmt: skip
    archive = made("lidar", parameter, {**photos, "flight.LDR": b"points"})
    las = las_of(archive, "lidars/terra_las/cloud_merged.las")
    assert set(np.unique(las.classification)) == {1, 2}
    assert tags(archive.read("lidars/terra_dem/dem.tif"))[0].mode == "F"
    sbet = np.frombuffer(archive.read("lidars/recorded_sbet.out"), "<f8").reshape(-1, 17)
    lat, lon = np.degrees(sbet[:, 1]), np.degrees(sbet[:, 2])
    assert np.abs([lat - 46.8427, lon + 91.994]).max() < 0.01


@pytest.mark.parametrize(
    ("layout", "expected"),
    [
        ("nested", "result/models/pc/0/terra_las/cloud_merged.las"),
        ("flat", "terra_las/cloud_merged.las"),
    ],
)
def test_other_layouts_hold_the_same_files(api, made, layout, expected):
    api.rules.layout = layout
    api.rules.hidden_decoy = True
    names = made("3d", EVERYTHING).namelist()
    assert expected in names
    assert len(names) == len(set(names))
    assert any("/.temp/" in f"/{name}" for name in names)
