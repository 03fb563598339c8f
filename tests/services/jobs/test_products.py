"""Kinds of products, by the layouts of the services that make them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cupixgeo.services.products import KINDS, classify, kind_of_name

PLY = "ply\nformat binary_little_endian 1.0\nelement vertex 1\n{}{}end_header\n"
XYZ = "property float x\nproperty float y\nproperty float z\n"
SPLAT = XYZ + "property float f_dc_0\nproperty float opacity\n"
FACES = "element face {}\nproperty list uchar int vertex_indices\n"

LAYOUTS = {
    # DJI Terra, and FlightHub where it uses the desktop layout
    "map/result.tif": "orthophoto",
    "map/result.tfw": "metadata",
    "map/result.prj": "metadata",
    "map/dsm.tif": "dsm",
    "map/gsddsm.tif": "raster",
    "map/19/429/200.png": "tiles",
    "map/report/map_report.json": "report",
    "AT/sfm_geo_desc.json": "metadata",
    "models/pc/0/terra_las/cloud_merged.las": "pointcloud",
    "models/pc/0/terra_pnts/tileset.json": "pointcloud",
    "models/pc/0/terra_pnts/BlockR/0.pnts": "pointcloud",
    "models/pc/0/terra_point_ply/cloud.ply": "pointcloud",
    "models/pc/0/terra_ply/BlockR/BlockR.ply": "mesh",
    "models/pc/0/terra_obj/BlockR/BlockR.obj": "mesh",
    "models/pc/0/terra_obj/BlockR/BlockR.mtl": "texture",
    "models/pc/0/terra_obj/BlockR/BlockR_0.jpg": "texture",
    "models/pc/0/terra_obj/metadata.xml": "metadata",
    "models/pc/0/terra_b3dms/tileset.json": "mesh",
    "models/pc/0/terra_b3dms/BlockR/0.b3dm": "mesh",
    "models/pc/0/terra_osgbs/Data/BlockRX/Tile.osgb": "mesh",
    "models/pc/0/terra_dem/dem.tif": "dtm",
    "models/pc/0/report/model_report.json": "report",
    "models/pc/0/SDK_Log.txt": "other",
    "lidars/flight_sbet.out": "cameras",
    "gs/tileset.terrags": "splats",
    "gs/Block000/LOD0/point_cloud.ply": "splats",
    # OpenDroneMap
    "odm/odm_orthophoto/odm_orthophoto.tif": "orthophoto",
    "odm/odm_dem/dsm.tif": "dsm",
    "odm/odm_dem/dtm.tif": "dtm",
    "odm/odm_georeferencing/odm_georeferenced_model.laz": "pointcloud",
    "odm/odm_report/report.pdf": "report",
    "odm/odm_report/shots.geojson": "cameras",
    "odm/odm_texturing/odm_textured_model_geo.obj": "mesh",
    "odm/cameras.json": "cameras",
    "odm/entwine_pointcloud/ept.json": "pointcloud",
    # Altizure, OpenScanCloud
    "altizure/tile_0_0_0.obj": "mesh",
    "altizure/tile_0_0_0.png": "texture",
    # Teleport: the sogs-sh0 bundle
    "teleport/meta.json": "splats",
    "teleport/means_l.webp": "splats",
    "teleport/sh0.webp": "splats",
}
CONTENTS = {
    "models/pc/0/terra_point_ply/cloud.ply": PLY.format(XYZ, ""),
    "models/pc/0/terra_ply/BlockR/BlockR.ply": PLY.format(XYZ, FACES.format(7)),
    "gs/Block000/LOD0/point_cloud.ply": PLY.format(SPLAT, ""),
    "teleport/meta.json": '{"means": {}, "quats": {}, "sh0": {}}',
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in LAYOUTS:
        path = tmp_path / "out" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(CONTENTS.get(name, ""))
    return tmp_path / "out"


def test_files_are_known_by_name_and_content_at_any_depth(folder):
    found = {path.relative_to(folder).as_posix(): kind for path, kind in classify(folder)}
    wrong = {name: (found[name], kind) for name, kind in LAYOUTS.items() if found[name] != kind}
    assert wrong == {}
    assert set(found) == set(LAYOUTS)


def test_hidden_files_and_folders_are_passed_over(folder):
    (folder / ".temp").mkdir()
    (folder / ".temp" / "cloud.las").write_text("")
    (folder / "map" / ".DS_Store").write_text("")
    assert len(list(classify(folder))) == len(LAYOUTS)


def test_points_with_an_empty_list_of_faces_are_points(tmp_path):
    (tmp_path / "a.ply").write_text(PLY.format(XYZ, FACES.format(0)))
    assert [kind for _, kind in classify(tmp_path)] == ["pointcloud"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("all.zip", "archive"),
        ("model.ply", "pointcloud"),
        ("video.mp4", "other"),
        ("ORTHO.TIF", "orthophoto"),
    ],
)
def test_an_inventory_goes_by_the_name_alone(name, kind):
    assert kind_of_name(name) == kind


def test_every_kind_that_is_given_is_declared():
    source = Path(__file__).parents[3] / "cupixgeo" / "services" / "products.py"
    given = set(re.findall(r'", "(\w+)"\),$', source.read_text(), re.MULTILINE))
    assert given <= set(KINDS)
    assert set(LAYOUTS.values()) <= set(KINDS)
