"""The zip that exists nowhere: what other programs read of it is what the files hold."""

from __future__ import annotations

import io
import os
import random
import zipfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest

from cupixgeo import errors
from cupixgeo.services import bundle as bundle_module
from cupixgeo.services.bundle import Bundle, bundle_size
from cupixgeo.services.intake import file_digests, gather
from cupixgeo.services.job_values import SourceFile
from cupixgeo.services.upload_values import Part, split


def hashed(paths: list[Path]) -> list[SourceFile]:
    return [replace(f, digests=file_digests(f.path, ["crc32"])) for f in gather(paths)]


def whole(bundle: Bundle) -> bytes:
    return b"".join(bundle.body(Part(1, 0, bundle.size)).chunks())


@pytest.fixture
def files(tmp_path):
    paths = []
    for number, size in enumerate([1, 70_000, 3, 300_000, 1000]):
        paths.append(tmp_path / f"Photo {number} äö.jpg")
        paths[-1].write_bytes(os.urandom(size))
    return hashed(paths)


def test_another_reader_finds_the_files_and_no_fault(files, tmp_path):
    (tmp_path / "all.zip").write_bytes(whole(Bundle(files)))
    with zipfile.ZipFile(tmp_path / "all.zip") as found:
        assert found.testzip() is None
        assert found.namelist() == [file.name for file in files]
        assert [found.read(f.name) for f in files] == [f.path.read_bytes() for f in files]
        assert all(info.compress_type == zipfile.ZIP_STORED for info in found.infolist())


def test_the_same_files_give_the_same_bytes(files):
    assert whole(Bundle(files)) == whole(Bundle(list(files)))


def test_the_size_is_known_before_anything_is_read(files):
    unread = [replace(file, digests={}) for file in files]
    assert bundle_size(unread) == Bundle(files).size == len(whole(Bundle(files)))


def test_a_plan_without_hashes_has_no_bytes_yet(files):
    with pytest.raises(errors.ArgumentError, match="no checksum"):
        Bundle([replace(files[0], digests={})])


@pytest.mark.parametrize("part_bytes", [1000, 65_536, 10_000_000])
def test_parts_put_together_are_the_zip_and_can_be_read_again(files, part_bytes):
    bundle = Bundle(files)
    parts = split(bundle.size, part_bytes)
    bodies = [bundle.body(part) for part in parts]
    assert [body.size for body in bodies] == [part.size for part in parts]
    for _ in range(2):
        assert b"".join(b"".join(body.chunks(999)) for body in bodies) == whole(bundle)


def test_any_stretch_can_be_read_from_any_place(files):
    bundle, data = Bundle(files), whole(Bundle(files))
    chance = random.Random(7)
    for _ in range(50):
        offset = chance.randrange(len(data))
        size = chance.randrange(len(data) - offset)
        with bundle.body(Part(1, offset, size)).open() as stream:
            at = chance.randrange(size + 1)
            assert stream.seek(at) == at
            assert stream.read() == data[offset + at : offset + size]


def test_zip64_records_are_read_by_another_program(files, tmp_path, monkeypatch):
    monkeypatch.setattr(bundle_module, "_LIMIT_32", 60_000)
    monkeypatch.setattr(bundle_module, "_LIMIT_16", 3)
    data = whole(Bundle(files))
    assert bundle_size(files) == len(data)
    end = data[-22:]
    # Zip64 says 0xFFFFFFFF where a number is in the extra field; the lowered limit stands for it.
    marker = (60_000).to_bytes(4, "little")
    fixed = data.replace(marker, b"\xff" * 4)[:-22]
    fixed += end[:8] + b"\xff" * 4 + b"\xff" * 4 + b"\xff" * 4 + end[20:]
    with zipfile.ZipFile(io.BytesIO(fixed)) as found:
        assert [found.read(f.name) for f in files] == [f.path.read_bytes() for f in files]
        assert found.testzip() is None


def test_a_zip_beyond_four_gigabytes_is_laid_out_without_reading_it(tmp_path):
    big = tmp_path / "big.jpg"
    with big.open("wb") as file:
        file.truncate(3 * 2**30)
    crc = {"crc32": "00000000"}
    files = [replace(f, digests=crc) for f in gather([big, big, big])]
    bundle = Bundle(files)
    assert bundle.size > 9 * 2**30
    tail = b"".join(bundle.body(Part(1, bundle.size - 2000, 2000)).chunks())
    assert b"PK\x06\x06" in tail
    assert b"PK\x06\x07" in tail
    with zipfile.ZipFile(io.BufferedReader(bundle_module._BundleStream(bundle))) as found:
        assert [i.file_size for i in found.infolist()] == [3 * 2**30] * 3
        assert found.infolist()[2].header_offset > 6 * 2**30


def test_a_photo_that_is_cut_while_it_is_sent_is_named(files):
    bundle = Bundle(files)
    files[3].path.write_bytes(b"short")
    with pytest.raises(errors.TransferError, match="Photo 3"):
        whole(bundle)


def test_parts_have_numbers_from_one_and_no_gaps():
    assert split(10, 4) == (Part(1, 0, 4), Part(2, 4, 4), Part(3, 8, 2))
    assert split(8, 4) == (Part(1, 0, 4), Part(2, 4, 4))
    assert split(0, 4) == (Part(1, 0, 0),)


def test_the_checksum_is_zlib_s(tmp_path):
    (tmp_path / "a").write_bytes(b"123456789")
    assert int(file_digests(tmp_path / "a", ["crc32"])["crc32"], 16) == zlib.crc32(b"123456789")
