"""Files on their way into a job: one name each, hashed, and still the same when they are sent."""

from __future__ import annotations

import hashlib
import os
import zlib
from pathlib import Path

import pytest

from cupixgeo import errors
from cupixgeo.services.intake import check_unchanged, file_digests, gather, hash_files
from cupixgeo.services.job_record import LedgerRecord
from cupixgeo.services.job_values import Attachment, Intent
from cupixgeo.services.lease import Holder
from cupixgeo.services.ledger import Ledger, Origin, new_tag


@pytest.fixture
def make(tmp_path):
    def make(name: str, content: bytes = b"x") -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    return make


@pytest.fixture
def record(make):
    paths = [make(f"P_{n}.jpg", os.urandom(1000 + n)) for n in range(5)]
    files = gather(paths)
    ledger = Ledger()
    intent = Intent("fake", "n", new_tag(), (), {}, files, sum(f.size for f in files))
    job = ledger.write_intent(intent, Origin("fake", "http://x", "a", {}))
    holder = Holder.here()
    ledger.take(job, holder)
    return LedgerRecord(ledger, job, holder=holder)


def names(*paths: Path) -> list[str]:
    return [file.name for file in gather(paths)]


def test_names_are_those_of_the_files(make):
    assert names(make("a/P_1.JPG"), make("a/Ü 2.jpg")) == ["P_1.JPG", "Ü 2.jpg"]


def test_files_of_two_folders_with_one_name_get_two_regardless_of_case(make):
    paths = [make("a/P.jpg"), make("b/p.JPG"), make("c/b/p.JPG"), make("d/b/p.JPG")]
    assert names(*paths) == ["P.jpg", "b_p.JPG", "b_p-2.JPG", "b_p-3.JPG"]


def test_names_hold_no_folders_and_no_control_characters(make):
    path = make("a.jpg")
    (file,) = gather([], [Attachment(path, "pose", "../x:\n/pose.txt")])
    assert file.name == ".._x_pose.txt"
    assert file.role == "pose"


def test_attachments_come_behind_the_photos(make):
    files = gather([make("a.jpg")], [Attachment(make("pose.txt"), "pose")])
    assert [(f.index, f.name, f.role) for f in files] == [
        (0, "a.jpg", "photo"),
        (1, "pose.txt", "pose"),
    ]
    assert all(f.path.is_absolute() and f.size == 1 for f in files)


@pytest.mark.parametrize("name", ["no-such.jpg", "folder", "empty.jpg"])
def test_what_cannot_be_sent_is_refused_by_name(make, tmp_path, name):
    (tmp_path / "folder").mkdir()
    make("empty.jpg", b"")
    with pytest.raises(errors.ArgumentError, match=name):
        gather([tmp_path / name])


def test_digests_are_those_of_the_libraries(make):
    content = os.urandom(3_000_000)
    found = file_digests(make("a.bin", content), ["sha1", "md5", "crc32"])
    assert found == {
        "sha1": hashlib.sha1(content).hexdigest(),
        "md5": hashlib.md5(content).hexdigest(),
        "crc32": f"{zlib.crc32(content):08x}",
    }


def test_all_files_are_hashed_and_once(record, monkeypatch):
    hash_files(record, {"md5"}, workers=3)
    for file in record.intent.files:
        content = file.path.read_bytes()
        assert file.digests["sha256"] == hashlib.sha256(content).hexdigest()
        assert file.digests["md5"] == hashlib.md5(content).hexdigest()
    monkeypatch.setattr("cupixgeo.services.intake.file_digests", None)
    hash_files(LedgerRecord(record.ledger, record.id), {"md5"}, workers=3)


def test_files_that_are_the_same_pass_also_with_another_date(record):
    hash_files(record, (), workers=2)
    os.utime(record.intent.files[2].path, (1, 1))
    check_unchanged(record)


@pytest.mark.parametrize("change", ["longer", "other", "gone"])
def test_a_changed_file_is_named(record, change):
    hash_files(record, (), workers=2)
    path = record.intent.files[2].path
    content = path.read_bytes()
    if change == "gone":
        path.unlink()
    else:
        path.write_bytes(content + b"!" if change == "longer" else content[::-1])
        os.utime(path, (1, 1))
    with pytest.raises(errors.JobError, match=r"P_2\.jpg"):
        check_unchanged(record)


def test_a_file_that_grew_since_it_was_planned_is_not_hashed(record):
    path = record.intent.files[4].path
    path.write_bytes(path.read_bytes() + b"!")
    with pytest.raises(errors.JobError, match="another file"):
        hash_files(record, (), workers=2)
