"""Result sets, as the emulator delivers them in every layout it knows."""

from __future__ import annotations

import json
import shutil
import zipfile

import numpy as np
import pytest
from pyproj import CRS

from cupixgeo.emulator import Emulator
from cupixgeo.emulator.flighthub.archive import archive_of_map
from cupixgeo.errors import CloudError, CorruptFileError
from cupixgeo.formats import dji_results
from cupixgeo.formats.dji import read_metadata
from cupixgeo.formats.registry import open_reader
from cupixgeo.geodesy.crs import frame_name, is_local

GEO = {"cs_type": "GEO_CS", "geo_cs": "EPSG:32615", "geo_cs_wkt": "", "override_vertical_cs": ""}
EVERYTHING = {
    "output_mesh": True, "generate_b3dm": True, "generate_osgb": True, "generate_obj": True,
    "generate_ply": True, "output_pointcloud": True, "generate_pnts": True, "generate_las": True,
    "generate_point_ply": True, "output_geo_desc": GEO,
}  # fmt: skip


@pytest.fixture(scope="module")
def sets(tmp_path_factory):
    """Unpack what the emulator delivers: kind and layout."""
    emulator = Emulator(seed=7)
    rules = emulator.service("flighthub").rules
    rules.every_nth_point, rules.hidden_decoy = 200, True
    made = {}

    def unpacked(kind, layout="desktop"):
        if (kind, layout) not in made:
            rules.layout = layout
            stored = archive_of_map(1, f"model_{kind}", EVERYTHING, emulator._stage, rules)
            folder = tmp_path_factory.mktemp(f"{kind}-{layout}")
            archive = folder.parent / f"{folder.name}.zip"
            archive.write_bytes(stored.content)
            with zipfile.ZipFile(archive) as opened:
                opened.extractall(folder)
            made[kind, layout] = folder
        return made[kind, layout]

    return unpacked


@pytest.fixture
def spoilt(sets, tmp_path):
    """Give a copy a test may spoil."""
    return shutil.copytree(sets("3d"), tmp_path / "set")


def listed(folder):
    return {(p.kind, p.format) for p in dji_results.inventory(folder)}


@pytest.mark.parametrize("layout", ["desktop", "nested", "flat"])
def test_products_are_found_wherever_they_lie(sets, layout):
    assert listed(sets("3d", layout)) == {
        ("pointcloud", "las"), ("pointcloud", "ply"), ("pointcloud", "pnts"), ("mesh", "b3dm"),
        ("mesh", "obj"), ("mesh", "ply"), ("mesh", "osgb"), ("report", "json"),
    }  # fmt: skip
    assert listed(sets("2d", layout)) >= {
        ("orthophoto", "tif"), ("dsm", "tif"), ("coarse dsm", "tif"), ("report", "json")
    }  # fmt: skip
    assert listed(sets("lidar", layout)) >= {("pointcloud", "las"), ("trajectory", "sbet")}


def test_a_product_knows_its_size_and_splats_their_level(sets):
    (las,) = [p for p in dji_results.inventory(sets("3d")) if p.format == "las"]
    assert (las.files, las.path.name) == (1, "terra_las")
    assert las.bytes == next(las.path.iterdir()).stat().st_size
    splats = [p for p in dji_results.inventory(sets("3dgs")) if p.kind == "splats"]
    assert sorted(p.level for p in splats) == [0, 1]


def test_hidden_folders_are_passed_over(sets):
    folder = sets("3d")
    assert list(folder.rglob(".temp"))
    assert not [p for p in dji_results.inventory(folder) if ".temp" in p.path.parts]
    assert dji_results.project_crs(folder)[0].to_epsg() == 32615


@pytest.mark.parametrize("layout", ["desktop", "nested", "flat"])
def test_the_crs_of_a_set_is_found(sets, layout):
    crs, why = dji_results.project_crs(sets("3d", layout))
    assert (crs.to_epsg(), why.rpartition("/")[2]) == (32615, "metadata.xml")
    crs, why = dji_results.project_crs(sets("2d", layout))
    assert (crs.to_epsg(20), why) == (32615, "dsm.prj")


def test_the_log_is_asked_last_and_nothing_is_none(spoilt, tmp_path):
    for path in spoilt.rglob("metadata.xml"):
        path.unlink()
    crs, why = dji_results.project_crs(spoilt)
    assert (crs.to_epsg(), why) == (32615, "SDK_Log.txt")
    (tmp_path / "empty").mkdir()
    assert dji_results.project_crs(tmp_path / "empty") is None
    assert dji_results.inventory(tmp_path / "empty") == ()


def test_a_prj_nobody_understands_is_passed_over(sets, tmp_path):
    folder = shutil.copytree(sets("2d"), tmp_path / "set")
    next(folder.rglob("dsm.prj")).write_text("no crs")
    assert dji_results.project_crs(folder)[1] == "result.prj"


def middle_of(path):
    with open_reader(path) as reader:
        return reader.bounds().mean(axis=0)


def test_a_ply_with_whole_coordinates_is_in_the_crs_of_its_set(sets):
    path = next(sets("3d").rglob("cloudR.ply"))
    crs = dji_results.cloud_crs(path, sets("3d"), middle=middle_of(path))
    assert crs.to_epsg() == 32615


def test_a_ply_from_the_origin_is_in_a_frame_that_leads_on(spoilt):
    """Nobody has described which of the two DJI's point PLYs are."""
    path = next(spoilt.rglob("terra_ply/BlockR/BlockR.ply"))
    frame = dji_results.cloud_crs(path, spoilt, middle=np.array([1.0, -2.0, 0.5]))
    assert is_local(frame)
    metadata = dji_results.metadata_of(path, spoilt)
    assert frame_name(frame) == frame_name(metadata.frame)
    (moved,) = metadata.placement.apply([[0.0, 0.0, 0.0]])
    assert moved == pytest.approx(metadata.origin)


def test_the_nearest_metadata_counts_and_none_outside_the_set(sets):
    folder = sets("3d")
    path = next(folder.rglob("BlockR.obj"))
    assert dji_results.metadata_of(path, folder).path.parent.name == "terra_obj"
    las = next(folder.rglob("*.las"))
    assert dji_results.metadata_of(las, folder) is None


def test_tiles_say_where_they_are(sets):
    inner = next(sets("3d").rglob("BlockR/tileset.json"))
    way = dji_results.tiles_placement(inner)
    assert way.target.to_epsg() == 4978
    metadata = read_metadata(next(sets("3d").rglob("terra_obj/metadata.xml")))
    from pyproj import Transformer

    to_earth = Transformer.from_crs(CRS(32615).to_3d(), 4978, always_xy=True)
    assert way.matrix[:3, 3] == pytest.approx(to_earth.transform(*metadata.origin), abs=1e-3)
    assert dji_results.tiles_placement(inner.parents[1] / "tileset.json") is None


def test_a_sound_set_has_no_contradictions(sets):
    for kind in ("3d", "2d", "3dgs", "lidar"):
        assert dji_results.check(sets(kind)) == []


def test_contradictions_are_told(spoilt):
    frame = next(spoilt.rglob("sfm_geo_desc.json"))
    content = json.loads(frame.read_text())
    content["ref_GPS"]["latitude"] += 1e-4
    frame.write_text(json.dumps(content))
    tiles = next(spoilt.rglob("BlockR/tileset.json"))
    content = json.loads(tiles.read_text())
    content["root"]["transform"][12] += 10
    tiles.write_text(json.dumps(content))
    far, moved = dji_results.check(spoilt)
    assert far.startswith("sfm_geo_desc.json puts the origin 11.")
    assert "10.0 m away from SRSOrigin" in moved
    other = next(spoilt.rglob("terra_ply/metadata.xml"))
    other.write_text(other.read_text().replace("32615", "32616"))
    (said,) = dji_results.check(spoilt)
    assert "do not belong together" in said
    with pytest.raises(CorruptFileError):
        dji_results.project_crs(spoilt)


def test_a_tile_set_that_is_none_is_named(tmp_path):
    path = tmp_path / "tileset.json"
    path.write_text("[]")
    with pytest.raises(CloudError, match="no tile set"):
        dji_results.tiles_placement(path)
