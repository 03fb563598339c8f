"""Archives from elsewhere: all or nothing, nothing outside, and no bombs."""

from __future__ import annotations

import io
import os
import stat
import struct
import zipfile
from pathlib import Path

import pytest

from cupixgeo import errors
from cupixgeo.services.unpack import UnpackLimits, safe_name, unpack


@pytest.fixture
def pack(tmp_path):
    """Write a zip of names and contents as they are given."""

    def pack(*members: tuple[str | zipfile.ZipInfo, bytes], deflate: bool = False) -> Path:
        path = tmp_path / "in.zip"
        method = zipfile.ZIP_DEFLATED if deflate else zipfile.ZIP_STORED
        with zipfile.ZipFile(path, "w", method) as bundle:
            for name, content in members:
                bundle.writestr(name, content)
        return path

    return pack


@pytest.fixture
def refuse(tmp_path):
    """Say that an archive is refused, and leaves nothing anywhere."""

    def refuse(archive: Path, match: str, **limits: object) -> None:
        before = set(tmp_path.rglob("*"))
        with pytest.raises(errors.ArchiveError, match=match):
            unpack(archive, tmp_path / "out", limits=UnpackLimits(**limits))
        assert set(tmp_path.rglob("*")) == before

    return refuse


def test_files_and_folders_come_out_as_they_went_in(pack, tmp_path):
    contents = {"a.txt": b"a", "b/c.bin": os.urandom(300_000), "b/d/e.txt": b"", "b/d/": b""}
    seen = []
    out = unpack(pack(*contents.items(), deflate=True), tmp_path / "out", progress=seen.append)
    found = {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.is_file()}
    assert found == {name: data for name, data in contents.items() if not name.endswith("/")}
    assert (seen[-1].done, seen[-1].total) == (300_001, 300_001)


def test_an_older_folder_of_the_name_is_replaced_whole(pack, tmp_path):
    unpack(pack(("old.txt", b"old")), tmp_path / "out")
    unpack(pack(("new.txt", b"new")), tmp_path / "out")
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["new.txt"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.zip", "out"]


@pytest.mark.parametrize(
    "name",
    [
        "/etc/passwd",
        "../x",
        "a/../../x",
        "a\\..\\..\\x",
        "C:/x",
        "c:x",
        "\\\\host\\x",
        "..",
        "a/..",
    ],
)
def test_names_that_lead_out_are_refused(pack, refuse, name):
    info = zipfile.ZipInfo("x")
    info.filename = info.orig_filename = name
    refuse(pack((info, b"x"), ("good.txt", b"y")), "not unpacked")


@pytest.mark.parametrize("name", ["a:b", "con", "a/NUL.txt", "a ", "b/c.", "tab\there", "a*b"])
def test_names_not_every_system_can_have_are_refused(pack, refuse, name):
    refuse(pack((name, b"x")), "name")


def test_a_name_cut_by_a_zero_byte_is_refused(pack, refuse):
    path = pack(("a.txt_evil", b"x"))
    path.write_bytes(path.read_bytes().replace(b"a.txt_evil", b"a.txt\0evil"))
    refuse(path, "name")


@pytest.mark.parametrize("kind", [stat.S_IFLNK, stat.S_IFIFO, stat.S_IFCHR])
def test_links_and_devices_are_refused(pack, refuse, kind):
    info = zipfile.ZipInfo("link")
    info.external_attr = (kind | 0o777) << 16
    refuse(pack((info, b"/etc/passwd")), "link or a device")


def test_an_encrypted_member_is_refused(pack, refuse):
    path = pack(("a.txt", b"x"))
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x01\x02", 8), (b"PK\x03\x04", 6)):
        data[data.index(signature) + offset] |= 1
    path.write_bytes(data)
    refuse(path, "encrypted")


@pytest.mark.parametrize(
    "names", [("A.txt", "a.TXT"), ("a", "a/b"), ("x/a", "X/b"), ("e\u0301", "\u00e9")]
)
def test_names_that_are_one_on_some_systems_are_refused(pack, refuse, names):
    refuse(pack(*((name, b"x") for name in names)), "collides|one name")


def test_a_repeated_name_is_refused(pack, refuse):
    with pytest.warns(UserWarning, match="Duplicate name"):
        archive = pack(("a.txt", b"x"), ("a.txt", b"y"))
    refuse(archive, "one name")


def test_a_bomb_by_ratio_is_refused(pack, refuse):
    refuse(pack(("zeros", bytes(2_000_000)), deflate=True), "bombs", small_bytes=1_000_000)


def test_small_members_that_pack_well_are_no_bombs(pack, tmp_path):
    assert unpack(pack(("zeros", bytes(2_000_000)), deflate=True), tmp_path / "out").is_dir()


def test_a_bomb_by_total_is_refused(pack, refuse):
    refuse(pack(("a", bytes(600)), ("b", bytes(600))), "more than 1000", total_bytes=1000)


def test_too_many_members_are_refused(pack, refuse):
    refuse(pack(*((str(n), b"") for n in range(20))), "20 members", members=19)


def test_members_that_share_their_bytes_are_refused(pack, refuse):
    path = pack(("a", b"x" * 1000), ("b", b"x" * 1000))
    data = bytearray(path.read_bytes())
    second = data.index(b"PK\x01\x02", data.index(b"PK\x01\x02") + 4)
    data[second + 42 : second + 46] = struct.pack("<I", 0)
    path.write_bytes(data)
    refuse(path, "overlaps")


def test_a_member_that_unpacks_to_more_than_it_says_is_refused(pack, refuse):
    path = pack(("a", os.urandom(100) + bytes(5000)), deflate=True)
    data = bytearray(path.read_bytes())
    central = data.index(b"PK\x01\x02")
    data[central + 24 : central + 28] = struct.pack("<I", 50)
    path.write_bytes(data)
    refuse(path, "broken|as long as")


@pytest.mark.parametrize("place", [0.3, 0.6])
def test_a_flipped_bit_is_noticed(pack, refuse, place):
    path = pack(("a", os.urandom(5000)))
    data = bytearray(path.read_bytes())
    data[int(len(data) * place)] ^= 1
    path.write_bytes(data)
    refuse(path, "broken")


def test_a_cut_archive_is_refused(pack, refuse):
    path = pack(("a", os.urandom(5000)))
    path.write_bytes(path.read_bytes()[:3000])
    refuse(path, "not a whole zip")


def test_what_is_no_zip_is_refused(tmp_path, refuse):
    (tmp_path / "in.zip").write_bytes(b"<html>soon</html>")
    refuse(tmp_path / "in.zip", "not a whole zip")


def test_a_full_disk_is_noticed_before_anything_is_written(pack, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.disk_usage", lambda _: type("Usage", (), {"free": 10}))
    with pytest.raises(errors.DiskFullError, match="10 left"):
        unpack(pack(("a", bytes(100))), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_only_plain_packing_is_read(tmp_path, refuse):
    path = tmp_path / "in.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_LZMA) as bundle:
        bundle.writestr("a", b"x" * 100)
    refuse(path, "method 14")


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("cloud.laz", "cloud.laz"),
        ("../../etc/passwd", "passwd"),
        ("C:\\Windows\\x.dll", "x.dll"),
        ("..", "file"),
        ("", "file"),
        (".hidden", "hidden"),
        ("con.txt", "_con.txt"),
        ("a:b?c*.laz", "a_b_c_.laz"),
        ("Pier 4 (ü).las", "Pier 4 (ü).las"),
        ("folder/", "folder"),
        ("x" * 300 + ".laz", "x" * 116 + ".laz"),
    ],
)
def test_names_from_a_server_become_harmless(name, safe):
    assert safe_name(name) == safe


def test_names_are_different_regardless_of_case():
    taken: set[str] = set()
    assert [safe_name(n, taken) for n in ("a.copc.laz", "A.copc.laz", "a.copc.laz")] == [
        "a.copc.laz",
        "A-2.copc.laz",
        "a-3.copc.laz",
    ]


def test_a_zip_within_a_zip_stays_one(pack, tmp_path):
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as bundle:
        bundle.writestr("../evil", b"x")
    out = unpack(pack(("inner.zip", inner.getvalue())), tmp_path / "out")
    assert (out / "inner.zip").read_bytes() == inner.getvalue()
