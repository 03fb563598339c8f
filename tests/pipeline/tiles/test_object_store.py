"""Tiles in an object store are those of a folder."""

from __future__ import annotations

import json
import secrets

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

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


class NoCredentialsError(Exception):
    """As botocore's: no OSError, no root it shares with others."""


class EndpointConnectionError(Exception):
    """As botocore's."""


class HttpError(Exception):
    """As gcsfs's."""


class ResourceNotFoundError(Exception):
    """As azure's."""


class FSTimeoutError(TimeoutError):
    """As fsspec's, which says nothing."""


CREDENTIALS, BUCKET, NETWORK = "Give every worker credentials", "Check the address", "the network"
ANSWERS = [
    (PermissionError(13, "Access Denied"), "Access Denied", CREDENTIALS),
    (NoCredentialsError("Unable to locate credentials"), "NoCredentialsError: Una", CREDENTIALS),
    (HttpError("Anonymous caller does not have storage.objects.create, 401"), "401", CREDENTIALS),
    (OSError("[Errno 5] SignatureDoesNotMatch"), "SignatureDoesNotMatch", CREDENTIALS),
    (FileNotFoundError("The specified bucket does not exist"), "bucket does not", BUCKET),
    (ResourceNotFoundError("The specified container was not found."), "not found", BUCKET),
    (EndpointConnectionError("Could not connect to the endpoint URL"), "endpoint URL", NETWORK),
    (FSTimeoutError(), "FSTimeoutError", NETWORK),
    (ConnectionResetError(104, "Connection reset by peer"), "reset by peer", NETWORK),
    (KeyError("ETag"), "KeyError: 'ETag'", "What is finished there is kept"),
]
CALLS = {
    "exists": "list",
    "isfile": "look for|read",
    "cat_file": "read",
    "pipe_file": "write",
    "put_file": "write",
    "rm": "remove",
    "ls": "list",
}


@pytest.fixture
def failing(monkeypatch):
    """Make calls of the store raise."""

    def fail(call, error):
        def refuse(self, *arguments, **options):
            raise error

        monkeypatch.setattr(MemoryFileSystem, call, refuse)

    return fail


@pytest.mark.parametrize(("error", "words", "remedy"), ANSWERS, ids=lambda v: type(v).__name__)
def test_what_the_store_answers_is_said_in_our_words(scans, bucket, failing, error, words, remedy):
    failing("pipe_file", error)
    with pytest.raises(OutputError) as caught:
        cx.merge(scans, bucket, tile_m=30)
    message = str(caught.value)
    assert message.startswith(f"cannot write {bucket}/plan.json: ")
    assert words in message
    assert remedy in message
    assert caught.value.__cause__ is error


@pytest.mark.parametrize("call", CALLS)
def test_whatever_call_fails_the_address_is_named(scans, bucket, failing, call):
    if call in ("ls", "cat_file"):
        cx.merge(scans, bucket, tile_m=60)
    failing(call, NoCredentialsError("Unable to locate credentials"))
    with pytest.raises(OutputError, match=rf"cannot ({CALLS[call]}) {bucket}.*{CREDENTIALS}"):
        cx.merge(scans, bucket, tile_m=30)


def test_a_quota_is_a_full_disk(scans, bucket, failing):
    failing("put_file", HttpError("QuotaExceeded: 507"))
    with pytest.raises(DiskFullError, match=rf"no room left to write {bucket}/tile_.*quota"):
        cx.merge(scans, bucket, tile_m=30)


def test_a_store_that_fails_at_once_is_named_without_its_password(scans, monkeypatch):
    def refuse(address, **options):
        raise EndpointConnectionError("no route to sftp://me:secret@host/tiles?key=secret")

    monkeypatch.setattr(fsspec.core, "url_to_fs", refuse)
    with pytest.raises(OutputError, match=r"cannot reach sftp://…@host/tiles") as caught:
        cx.merge(scans, "sftp://me:secret@host/tiles", tile_m=30)
    assert "secret" not in str(caught.value)


def test_the_disk_of_the_worker_is_not_the_store(scans, bucket, monkeypatch):
    def fill(self, records):
        raise OSError(28, "No space left on device", "/scratch/x.laz")

    monkeypatch.setattr("cupixgeo.formats.copc.writer.CopcWriter.write", fill)
    with pytest.raises(DiskFullError, match=r"writing /scratch/x\.laz"):
        cx.merge(scans, bucket, tile_m=30)


def test_what_is_not_about_the_store_comes_out_as_it_is(scans, bucket, failing):
    failing("pipe_file", MemoryError())
    with pytest.raises(MemoryError):
        cx.merge(scans, bucket, tile_m=30)
    failing("pipe_file", KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        cx.merge(scans, bucket, tile_m=30)
