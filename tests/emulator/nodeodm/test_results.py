import io
import json
import zipfile

import numpy as np
import pytest
from PIL import Image

from tests.emulator.nodeodm.conftest import PHOTOS

LAZ = "odm_georeferencing/odm_georeferenced_model.laz"


@pytest.fixture
def archive(emu, node):
    """Complete a task with these options and return its archive."""

    def archive(options=(), **fields):
        sent = [{"name": name, "value": True} for name in options]
        uuid = node.task(options=sent, **fields)
        emu.clock.advance(900)
        answer = node.http.get(f"/task/{uuid}/download/all.zip")
        assert answer.headers["Content-Type"] == "application/zip"
        assert answer.headers["Content-Disposition"] == "attachment; filename=all.zip"
        assert int(answer.headers["Content-Length"]) == len(answer.content)
        return zipfile.ZipFile(io.BytesIO(answer.content))

    return archive


def test_the_archive_holds_the_engines_folders_and_says_that_it_was_recorded(archive):
    bundle = archive()
    assert bundle.testzip() is None
    assert set(bundle.namelist()) == {
        "RECORDED.txt",
        LAZ,
        "odm_georeferencing/coords.txt",
        "odm_orthophoto/odm_orthophoto.tif",
        "odm_texturing/odm_textured_model_geo.obj",
        "odm_texturing/odm_textured_model_geo.mtl",
        "odm_texturing/odm_textured_model_geo_material0000_map_Kd.png",
        "odm_report/shots.geojson",
        "odm_report/stats.json",
        "cameras.json",
        "images.json",
        "task_output.txt",
        "log.json",
    }
    label = bundle.read("RECORDED.txt").decode()
    assert "were not computed from the uploaded images" in label
    assert "not made by the emulator: pc-ept" in label


def test_the_point_cloud_is_the_owners_own_file(emu, archive):
    original = emu.world.brighton.original_path.read_bytes()
    assert archive().read(LAZ) == original


def test_options_decide_what_is_made(archive):
    names = set(archive(["dsm", "dtm", "gltf", "skip-report", "skip-orthophoto"]).namelist())
    assert {"odm_dem/dsm.tif", "odm_dem/dtm.tif"} <= names
    assert "odm_texturing/odm_textured_model_geo.glb" in names
    assert "odm_orthophoto/odm_orthophoto.tif" not in names
    assert "odm_report/stats.json" not in names
    assert not any("odm_texturing" in name for name in archive(["skip-3dmodel"]).namelist())


def test_outputs_narrow_the_archive(archive):
    wanted = json.dumps(["odm_orthophoto", "../../cameras.json", "odm_rep"])
    names = archive(outputs=wanted).namelist()
    assert names == ["RECORDED.txt", "odm_orthophoto/odm_orthophoto.tif", "cameras.json"]


def test_rasters_lie_on_the_points_and_the_surface_is_their_highest(emu, archive):
    bundle = archive(["dsm"])
    with Image.open(io.BytesIO(bundle.read("odm_dem/dsm.tif"))) as image:
        height = np.asarray(image)
        x0, y0 = image.tag_v2[33922][3:5]
        cell = image.tag_v2[33550][0]
        assert image.tag_v2[34735][-1] == 32615
    xyz = emu.world.brighton.original_xyz
    column = ((xyz[:, 0] - x0) / cell).astype(int)
    row = ((y0 - xyz[:, 1]) / cell).astype(int)
    assert (xyz[:, 2] <= height[row, column] + 1e-4).all()
    assert height.max() == pytest.approx(xyz[:, 2].max(), abs=1e-4)
    with Image.open(io.BytesIO(bundle.read("odm_orthophoto/odm_orthophoto.tif"))) as image:
        assert image.mode == "RGBA"
        seen = np.asarray(image)[..., 3] == 255
    assert (seen == (height != -9999)).all()


def test_the_model_lies_on_the_surface_from_the_origin_in_coords(emu, archive):
    bundle = archive()
    zone, origin = bundle.read("odm_georeferencing/coords.txt").decode().splitlines()
    assert zone == "WGS84 UTM 15N"
    text = bundle.read("odm_texturing/odm_textured_model_geo.obj").decode()
    vertices = np.array([line.split()[1:] for line in text.splitlines() if line.startswith("v ")])
    faces = sum(line.startswith("f ") for line in text.splitlines())
    low, high = (
        (vertices.astype(float) + [*map(int, origin.split()), 0])[:, :2].min(axis=0),
        (vertices.astype(float) + [*map(int, origin.split()), 0])[:, :2].max(axis=0),
    )
    xyz = emu.world.brighton.original_xyz
    assert (low >= xyz[:, :2].min(axis=0)).all()
    assert (high <= xyz[:, :2].max(axis=0)).all()
    assert faces > 1000


def test_reports_are_about_the_images_that_were_uploaded(archive):
    bundle = archive()
    names = [photo.name for photo in PHOTOS[:3]]
    assert [image["filename"] for image in json.loads(bundle.read("images.json"))] == names
    shots = json.loads(bundle.read("odm_report/shots.geojson"))["features"]
    assert [shot["properties"]["filename"] for shot in shots] == names
    assert shots[0]["geometry"]["coordinates"][:2] == pytest.approx([-91.994, 46.842], abs=1e-3)
    assert f"Found image {names[0]}" in bundle.read("task_output.txt").decode()


def test_only_the_archive_is_given_out_and_only_when_it_is_there(emu, node):
    uuid = node.task()
    assert node.get(f"/task/{uuid}/download/all.zip") == {"error": "Asset not ready"}
    for asset in ("orthophoto.tif", "georeferenced_model.laz", "nonsense.bin"):
        assert node.get(f"/task/{uuid}/download/{asset}") == {"error": "Invalid asset"}
    assert node.get("/task/nobody/download/all.zip") == {"error": "nobody not found"}


def test_a_head_request_tells_the_size(emu, node):
    uuid = node.task()
    emu.clock.advance(900)
    head = node.http.head(f"/task/{uuid}/download/all.zip")
    assert head.content == b""
    whole = node.http.get(f"/task/{uuid}/download/all.zip")
    assert int(head.headers["Content-Length"]) == len(whole.content)


def test_a_node_before_version_2_gives_out_the_orthophoto_by_itself(emu, node):
    node.at.settings.version = "1.5.3"
    uuid = node.task()
    emu.clock.advance(900)
    answer = node.http.get(f"/task/{uuid}/download/orthophoto.tif")
    assert answer.headers["Content-Type"] == "image/tiff"
    with Image.open(io.BytesIO(answer.content)) as image:
        assert image.size[0] > 100
    assert node.get(f"/task/{uuid}/download/dsm.tif") == {"error": "Invalid asset"}


def test_results_stay_while_a_task_runs_again(emu, node):
    uuid = node.task()
    emu.clock.advance(900)
    node.command("restart", uuid)
    assert node.http.get(f"/task/{uuid}/download/all.zip").content.startswith(b"PK")
