"""Collecting results: checked, unpacked, never where a server wants, and fetched once."""

from __future__ import annotations

import hashlib
import io
import zipfile
from pathlib import Path

import numpy as np
import pytest

from cupixgeo import errors
from cupixgeo.geodesy.crs import as_crs

REAL = Path(__file__).parents[3] / "data" / "brighton_beach" / "reference" / "model.laz"
PLY = (
    b"ply\nformat ascii 1.0\nelement vertex 2\nproperty double x\nproperty double y\n"
    b"property double z\nend_header\n0 0 1\n1 2 3\n"
)


def packed(**members: bytes) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w") as bundle:
        for name, content in members.items():
            bundle.writestr(name.replace("__", "/"), content)
    return stream.getvalue()


@pytest.fixture
def finish(launch, service):
    """Run a job that makes these products."""

    def finish(products: dict[str, bytes], **parameters: object):
        service.products.update(products)
        job = launch(**parameters)
        job.wait(30)
        return job

    return finish


def test_files_and_unpacked_archives_lie_in_the_folder_with_their_kinds(finish, tmp_path):
    bundle = {"report__report.json": b"{}", "points__cloud.ply": PLY}
    job = finish({"result.tif": b"tiff", "model.zip": packed(**bundle)})
    results = job.results(tmp_path / "out")
    table = results.table.set_index("name")
    assert table["kind"].to_dict() == {
        "result.tif": "orthophoto",
        "model/points/cloud.ply": "pointcloud",
        "model/report/report.json": "report",
    }
    assert table.loc["model/points/cloud.ply", "bytes"] == len(PLY)
    assert set(table["product"]) == {"result.tif", "model.zip"}
    assert results.of("orthophoto") == [tmp_path / "out" / "result.tif"]
    assert results.of("splats") == []
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["model", "result.tif"]
    assert "1 pointcloud" in repr(results)
    with pytest.raises(errors.ArgumentError, match="no kind"):
        results.of("points")


@pytest.mark.parametrize("name", ["../evil.laz", "/etc/evil.laz", "a/b/evil.laz"])
def test_names_from_the_service_choose_no_path(finish, tmp_path, service, name):
    service.products["evil.laz"] = b"x"
    job = finish({name: b"x"})
    assert name in set(job.inventory()["name"])
    results = job.results(tmp_path / "out")
    assert {file.path.parent for file in results.files} == {tmp_path / "out"}
    assert sorted(p.name for p in (tmp_path / "out").iterdir()) == ["evil-2.laz", "evil.laz"]


def test_only_the_kinds_that_were_asked_for_are_fetched(finish, tmp_path, service):
    bundle = packed(report__report_json=b"{}", points__cloud_ply=b"")
    job = finish({"result.tif": b"tiff", "cloud.ply": PLY, "model.zip": bundle})
    results = job.results(tmp_path / "out", kinds=["pointcloud"])
    assert [file.name for file in results.files] == ["cloud.ply"]
    assert service.count("GET", "/out/result.tif") == 0
    with pytest.raises(errors.ArgumentError, match="no kind"):
        job.results(tmp_path / "out", kinds=["points"])


def test_a_file_that_was_spoiled_since_is_fetched_again_and_only_that(finish, tmp_path, service):
    job = finish({"a.tif": b"aaaa", "b.tif": b"bbbb", "c.zip": packed(x=b"1", y=b"2")})
    job.results(tmp_path / "out")
    (tmp_path / "out" / "b.tif").write_bytes(b"bbxb")
    (tmp_path / "out" / "c" / "x").unlink()
    before = len(service.calls)
    job.results(tmp_path / "out")
    fetched = [c.path for c in service.calls[before:] if c.path.startswith("/out")]
    assert fetched == ["/out/b.tif", "/out/c.zip"]
    assert (tmp_path / "out" / "b.tif").read_bytes() == b"bbbb"
    assert (tmp_path / "out" / "c" / "x").read_bytes() == b"1"


def test_another_size_than_the_inventory_says_is_not_kept(finish, tmp_path, service):
    job = finish({"a.tif": b"aaaa"})
    service.answer("GET", "/results", 200, [{"name": "a.tif", "bytes": 5}])
    with pytest.raises(errors.TransferError, match="4 bytes and should have 5"):
        job.results(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_archive_that_is_none_is_not_kept(finish, tmp_path):
    job = finish({"a.zip": b"not a zip"})
    with pytest.raises(errors.ArchiveError, match=r"a\.zip should be a zip"):
        job.results(tmp_path / "out")
    assert list((tmp_path / "out").iterdir()) == []


def test_an_unsafe_archive_leaves_nothing_unpacked(finish, tmp_path):
    job = finish({"a.zip": packed(**{"..__..__evil": b"x"})})
    with pytest.raises(errors.ArchiveError, match="leads out"):
        job.results(tmp_path / "out")
    assert not (tmp_path / "out" / "a").exists()
    assert not (tmp_path / "evil").exists()


def test_a_folder_that_cannot_be_made_or_is_too_small_is_said_first(
    finish, tmp_path, service, monkeypatch
):
    job = finish({"a.tif": b"aaaa"})
    with pytest.raises(errors.OutputError, match="cannot be made"):
        job.results(tmp_path / "no" / "such")
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 3}))
    with pytest.raises(errors.DiskFullError, match="4 bytes"):
        job.results(tmp_path / "out")
    assert service.count("GET", "/out/a.tif") == 0


# -- point clouds --------------------------------------------------------------------------------


def test_the_driver_gives_the_crs_where_the_file_has_none(finish, tmp_path):
    job = finish({"cloud.ply": PLY})
    local = job.open_pointcloud(to=tmp_path / "a")
    assert "EPSG" not in local["spatial_ref"].attrs["crs_wkt"]
    placed = finish({"cloud.ply": PLY}, given_crs=32650).open_pointcloud(to=tmp_path / "b")
    assert as_crs(placed["spatial_ref"].attrs["crs_wkt"]) == as_crs(32650)
    assert np.array_equal(placed["z"].values, [1.0, 3.0])


def test_laz_comes_before_ply_and_larger_before_smaller(finish, tmp_path):
    job = finish({"a.ply": PLY, "z.laz": REAL.read_bytes(), "broken.las": b"LASF"})
    cloud = job.open_pointcloud(to=tmp_path / "out")
    assert cloud.attrs["source"].endswith("z.laz")
    by_name = job.open_pointcloud("a.ply")
    assert by_name.sizes["point"] == 2
    with pytest.raises(errors.ArgumentError, match=r"0 point clouds .* 'b\.ply'"):
        job.open_pointcloud("b.ply")


def test_without_a_point_cloud_what_there_is_is_said(finish, tmp_path):
    job = finish({"result.tif": b"tiff"})
    with pytest.raises(errors.EmptyCloudError, match="1 orthophoto"):
        job.results(tmp_path / "out").open_pointcloud()


def test_opening_fetches_into_the_cache_once(finish, service):
    job = finish({"cloud.ply": PLY})
    for _ in range(2):
        assert job.open_pointcloud().sizes["point"] == 2
    assert service.count("GET", "/out/cloud.ply") == 1


def test_splats_are_no_point_cloud(finish, tmp_path):
    splats = PLY.replace(b"z\nend", b"z\nproperty float f_dc_0\nproperty float opacity\nend")
    results = finish({"model.ply": splats}).results(tmp_path / "out")
    assert [file.kind for file in results.files] == ["splats"]
    digest = hashlib.sha256(results.files[0].path.read_bytes()).hexdigest()
    assert digest == hashlib.sha256(splats).hexdigest()
