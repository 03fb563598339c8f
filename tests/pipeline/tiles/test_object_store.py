"""Tiles in an object store are those of a folder."""

from __future__ import annotations

import json
import secrets

import fsspec
import pytest

import cupixgeo as cx
from cupixgeo.errors import DiskFullError, MergeError, MissingExtraError, OutputError
from tests.pipeline.tiles.tiled import CREATED, contents


@pytest.fixture
def bucket():
    """Address of an empty place in memory."""
    address = f"memory://bucket-{secrets.token_hex(4)}/tiles"
    yield address
    files, root = fsspec.core.url_to_fs(address)
    if files.exists(root):
        files.rm(root, recursive=True)


def stored(address):
    """Content of every file, by name; of tiles less the day they were made."""
    files, root = fsspec.core.url_to_fs(address)
    result = {}
    for path in filter(files.isfile, files.ls(root, detail=False)):
        data = bytearray(files.cat_file(path))
        if path.endswith(".copc.laz"):
            data[CREATED] = bytes(4)
        result[path.rpartition("/")[2]] = bytes(data)
    return result


def test_a_bucket_holds_what_a_folder_holds(scans, tmp_path, bucket):
    here = cx.merge(scans, tmp_path / "tiles", tile_m=30)
    there = cx.merge(scans, bucket, tile_m=30)
    found = stored(bucket)
    tiles = {name: data for name, data in found.items() if name.endswith(".copc.laz")}
    assert tiles == contents(tmp_path / "tiles")
    assert sorted(set(found) - set(tiles)) == ["index.vpc", "plan.json", "report.json"]
    assert (there.folder, there.path) == (bucket, f"{bucket}/index.vpc")
    assert there.points_kept == here.points_kept
    catalogue = json.loads(found["index.vpc"])
    assert [item["assets"]["data"]["href"][2:] for item in catalogue["features"]] == [
        tile.name for tile in there.tiles
    ]


def test_it_goes_on_there_too(scans, bucket):
    def stop(progress):
        if progress.stage == "merge":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        cx.merge(scans, bucket, tile_m=30, progress=stop)
    first = stored(bucket)
    assert len([name for name in first if name.endswith(".copc.laz")]) == 1
    report = cx.merge(scans, bucket, tile_m=30)
    assert cx.merge(scans, bucket, tile_m=30) == report
    with pytest.raises(MergeError, match="another merge"):
        cx.merge(scans, bucket, tile_m=31)


def test_a_file_address_is_the_folder(scans, tmp_path):
    report = cx.merge(scans, f"file://{tmp_path}/tiles", tile_m=60)
    assert sorted(contents(tmp_path / "tiles")) == sorted(tile.name for tile in report.tiles)


def test_a_store_that_is_full_keeps_what_is_finished(scans, bucket, monkeypatch):
    files, _ = fsspec.core.url_to_fs(bucket)
    put = type(files).put_file
    sent = []

    def fill(self, source, target, *rest, **more):
        if len(sent) == 3:
            raise OSError(28, "No space left on device")
        sent.append(target)
        put(self, source, target, *rest, **more)

    monkeypatch.setattr(type(files), "put_file", fill)
    with pytest.raises(DiskFullError, match="tile_"):
        cx.merge(scans, bucket, tile_m=30)
    assert len([name for name in stored(bucket) if name.endswith(".copc.laz")]) == 3


def test_a_driver_that_is_missing_is_named(scans, monkeypatch):
    def missing(address, **options):
        raise ImportError("Install s3fs to access S3")

    monkeypatch.setattr(fsspec.core, "url_to_fs", missing)
    with pytest.raises(MissingExtraError, match="pip install fsspec s3fs"):
        cx.merge(scans, "s3://bucket/tiles", tile_m=30)


def test_an_unknown_protocol_is_refused(scans):
    with pytest.raises(OutputError, match="nowhere://"):
        cx.merge(scans, "nowhere://bucket/tiles", tile_m=30)


def test_what_the_store_answers_is_said_in_our_words(scans, bucket, monkeypatch):
    def refuse(self, path, data, **options):
        raise PermissionError(13, "Access Denied")

    monkeypatch.setattr(fsspec.implementations.memory.MemoryFileSystem, "pipe_file", refuse)
    with pytest.raises(OutputError, match=r"plan\.json: Access Denied"):
        cx.merge(scans, bucket, tile_m=30)
