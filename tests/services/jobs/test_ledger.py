"""The ledger: intent first, nothing secret, and nobody writes who has lost the job."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cupixgeo import errors
from cupixgeo.net.secret import Secret
from cupixgeo.services.database import Database, default_path
from cupixgeo.services.job_record import LedgerRecord
from cupixgeo.services.job_values import Intent, SourceFile
from cupixgeo.services.lease import LEASE_S, Holder
from cupixgeo.services.ledger import Ledger, Origin, Phase, new_tag
from cupixgeo.services.upload_values import Receipt, UploadItem

ORIGIN = Origin("fake", "http://127.0.0.1:1/api", "an account", {"project": 7})


def files(count: int) -> tuple[SourceFile, ...]:
    return tuple(
        SourceFile(n, Path(f"/photos/P_{n}.jpg"), f"P_{n}.jpg", 100 + n, mtime_ns=n)
        for n in range(count)
    )


def intent(count: int = 3, **changes: object) -> Intent:
    some = files(count)
    given = {
        "service": "fake",
        "name": "Pier 4",
        "tag": new_tag(),
        "products": ("mesh",),
        "parameters": {"quality": 3},
        "files": some,
        "bytes": sum(f.size for f in some),
        "crs_wkt": "WKT",
    }
    return Intent(**{**given, **changes})  # type: ignore[arg-type]


class Clock:
    def __init__(self) -> None:
        self.time = 1_000_000_000.0

    def __call__(self) -> float:
        return self.time


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ledger(tmp_path: Path, clock: Clock) -> Ledger:
    return Ledger(tmp_path / "jobs.sqlite", now=clock)


@pytest.fixture
def job(ledger: Ledger) -> str:
    return ledger.write_intent(intent(), ORIGIN)


@pytest.fixture
def record(ledger: Ledger, job: str) -> LedgerRecord:
    holder = Holder.here()
    ledger.take(job, holder)
    return LedgerRecord(ledger, job, holder=holder)


def other() -> Holder:
    """A holder on another machine, alive or not: nobody can tell."""
    return Holder("another-run", 4711, "", "elsewhere", "elsewhere boot-7")


def test_an_intent_is_read_as_it_was_written_by_another_connection(tmp_path, clock):
    wanted = intent(1200)
    job = Ledger(tmp_path / "jobs.sqlite", now=clock).write_intent(wanted, ORIGIN)
    row = Ledger(tmp_path / "jobs.sqlite").row(job)
    assert tuple(row.intent.files) == wanted.files
    assert (row.intent.tag, row.intent.products) == (wanted.tag, ("mesh",))
    assert (row.intent.parameters, row.intent.crs_wkt) == ({"quality": 3}, "WKT")
    assert row.origin == ORIGIN
    assert (row.phase, row.state, row.created) == (Phase.WRITTEN, "planned", clock.time)
    assert job == wanted.tag.removeprefix("cx-")


def test_files_are_a_sequence(ledger, job):
    listed = ledger.row(job).intent.files
    assert listed[1] == listed[-2] == files(3)[1]
    assert list(listed[1:]) == list(files(3)[1:])
    assert len(listed) == 3
    with pytest.raises(IndexError, match="3 files"):
        listed[3]


def test_tags_are_never_the_same():
    assert len({new_tag() for _ in range(1000)}) == 1000


def test_the_same_intent_is_written_once(ledger):
    wanted = intent()
    ledger.write_intent(wanted, ORIGIN)
    with pytest.raises(errors.ArgumentError, match="launched before"):
        ledger.write_intent(wanted, ORIGIN)
    assert len(ledger.rows()) == 1


def test_the_ledger_is_where_the_environment_says(tmp_path, monkeypatch):
    monkeypatch.setenv("CUPIXGEO_STATE", str(tmp_path / "there"))
    with Ledger() as ledger:
        assert ledger.path == default_path() == tmp_path / "there" / "jobs.sqlite"
    assert ledger.path.exists()
    assert ledger.path.parent.stat().st_mode & 0o077 == 0
    monkeypatch.delenv("CUPIXGEO_STATE")
    assert default_path().parent.name == "cupixgeo"


# -- secrets -------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [Secret("abc"), {"a": [Secret("abc")]}, ("x", Secret("y"))])
def test_a_secret_is_not_written(record, ledger, value):
    with pytest.raises(TypeError, match="no secrets"):
        record.save(key=value)
    assert record.remote == ledger.row(record.id).remote == {}


def test_a_signed_link_is_not_written(record, tmp_path):
    with pytest.raises(errors.ArgumentError, match="may be signed"):
        record.save(link="https://store.example/a?X-Signature=planted")
    record.note("see https://store.example/a?X-Signature=planted")
    record.write(message="failed at https://store.example/a?X-Signature=planted")
    kept = b"".join(path.read_bytes() for path in tmp_path.glob("jobs.sqlite*"))
    assert b"planted" not in kept
    assert "https://store.example/a?…" in record.row.message


def test_options_and_parameters_hold_no_secret_either(ledger):
    with pytest.raises(TypeError):
        ledger.write_intent(intent(), Origin("fake", "http://x", "a", {"token": Secret("t")}))
    with pytest.raises(errors.ArgumentError, match="may be signed"):
        ledger.write_intent(intent(parameters={"hook": "https://h.example/?key=1"}), ORIGIN)
    assert ledger.rows() == []


# -- what a driver saves -------------------------------------------------------------------------


def test_saved_ids_are_on_disk_at_once_and_add_up(record, ledger):
    record.save(eid="a1")
    assert Ledger(ledger.path).row(record.id).remote == {"eid": "a1"}
    record.save(sid="b2", eid="a3")
    assert record.remote == {"eid": "a3", "sid": "b2"}
    assert LedgerRecord(ledger, record.id).remote == record.remote


def test_ids_saved_by_several_threads_are_all_there(record):
    def save(number: int) -> None:
        record.save(**{f"id{number}": number})

    threads = [threading.Thread(target=save, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert record.remote == {f"id{n}": n for n in range(8)}


def test_parts_are_waiting_then_doubtful_then_sent(record):
    record.list_items(UploadItem.of_file(f, part_bytes=60) for f in record.intent.files)
    first = next(record.waiting())
    assert (first.item.name, first.part.size, first.is_doubtful) == ("P_0.jpg", 60, False)
    record.mark_part(first, None)
    assert next(record.waiting()).is_doubtful
    assert record.mark_part(first, Receipt("etag", "ref")) is False
    second = next(record.waiting())
    assert (second.part.number, second.part.offset, second.part.size) == (2, 60, 40)
    assert record.mark_part(second, Receipt("etag2")) is True
    assert [(s.name, s.part.number, s.receipt.etag) for s in record.sent()] == [
        ("P_0.jpg", 1, "etag"),
        ("P_0.jpg", 2, "etag2"),
    ]
    totals = record.totals()
    assert (totals.bytes_done, totals.bytes_total) == (100, 303)
    assert (totals.files_done, totals.files_total) == (1, 3)


def test_starting_over_forgets_what_was_sent_and_made(record):
    record.save(eid="a1")
    record.list_items(map(UploadItem.of_file, record.intent.files))
    record.mark_part(next(record.waiting()), Receipt("etag"))
    record.start_over()
    assert (record.remote, list(record.sent()), record.round) == ({}, [], 1)
    assert record.phase is Phase.HASHED
    assert len(record.intent.files) == 3


MANY_FILES = """
import sys, tracemalloc
from pathlib import Path
from tests.services.jobs.test_ledger import (
    ORIGIN, Holder, Ledger, LedgerRecord, UploadItem, intent
)

ledger = Ledger(Path(sys.argv[1]))
job = ledger.write_intent(intent(20_000), ORIGIN)
holder = Holder.here()
ledger.take(job, holder)
record = LedgerRecord(ledger, job, holder=holder)
tracemalloc.start()
record.list_items(map(UploadItem.of_file, record.intent.files))
assert sum(1 for _ in record.waiting()) == 20_000
assert record.totals().files_total == 20_000
assert record.intent.files[19_999].name == "P_19999.jpg"
print(tracemalloc.get_traced_memory()[1])
"""


def test_twenty_thousand_files_are_never_in_memory_together(tmp_path):
    """In a process of its own: no other test's threads are counted."""
    run = subprocess.run(
        [sys.executable, "-c", MANY_FILES, str(tmp_path / "jobs.sqlite")],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 0, run.stderr
    assert int(run.stdout) < 5 * 2**20


# -- leases --------------------------------------------------------------------------------------


def test_a_held_job_is_refused_and_the_holder_named(record, ledger):
    with pytest.raises(errors.JobBusyError, match=rf"process {Holder.here().pid} on "):
        ledger.take(record.id, other())


def test_a_lease_runs_out_without_signs_of_life(ledger, job, clock):
    ledger.take(job, other())
    mine = Holder.here()
    clock.time += LEASE_S - 1
    with pytest.raises(errors.JobBusyError, match="process 4711 on elsewhere"):
        ledger.take(job, mine)
    ledger.beat(job, other())
    clock.time += LEASE_S - 1
    with pytest.raises(errors.JobBusyError):
        ledger.take(job, mine)
    clock.time += 2
    ledger.take(job, mine)
    with pytest.raises(errors.JobBusyError, match="taken over by process"):
        ledger.beat(job, other())


def test_who_has_lost_the_job_writes_nothing_any_more(record, ledger, clock):
    record.list_items(map(UploadItem.of_file, record.intent.files))
    first = next(record.waiting())
    clock.time += LEASE_S + 1
    ledger.take(record.id, other())
    for write in (
        lambda: record.save(eid="a1"),
        lambda: record.mark(Phase.STARTING),
        lambda: record.mark_part(first, Receipt("e")),
        lambda: record.list_items([]),
        lambda: record.start_over(),
    ):
        with pytest.raises(errors.JobBusyError, match="process 4711 on elsewhere"):
            write()
    assert ledger.row(record.id).remote == {}
    assert not next(record.waiting()).is_doubtful


def test_a_released_job_is_free_and_its_old_holder_is_told(record, ledger):
    ledger.release(record.id, Holder.here())  # another run of this process: no effect
    assert ledger.row(record.id).lease is not None
    ledger.release(record.id, record._holder)
    assert ledger.row(record.id).lease is None
    with pytest.raises(errors.JobBusyError, match="not held by this process"):
        record.save(eid="a1")
    ledger.take(record.id, other())


def test_a_wish_to_cancel_reaches_the_holder_with_the_next_sign_of_life(record, ledger):
    assert ledger.beat(record.id, record._holder) is False
    ledger.update(record.id, None, cancelling=1)
    assert ledger.beat(record.id, record._holder) is True


# -- the file ------------------------------------------------------------------------------------


def test_a_file_that_is_no_ledger_is_refused_by_name(tmp_path):
    path = tmp_path / "jobs.sqlite"
    path.write_bytes(b"not a database, but long enough to look at" * 40)
    with pytest.raises(errors.JobError, match=r"jobs\.sqlite"):
        Ledger(path)
    assert path.read_bytes().startswith(b"not a database")


def test_a_ledger_of_a_newer_version_is_left_alone(tmp_path):
    path = tmp_path / "jobs.sqlite"
    Ledger(path).close()
    with sqlite3.connect(path) as connection:
        connection.execute("PRAGMA user_version = 99")
    connection.close()
    with pytest.raises(errors.JobError, match="version 99"):
        Ledger(path)


def test_what_fails_within_a_transaction_is_not_kept(tmp_path):
    database = Database(tmp_path / "jobs.sqlite")

    def fail() -> None:
        with database.writing() as connection:
            connection.execute("INSERT INTO events VALUES ('j', 1, 'k', 't')")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    assert database.read("SELECT * FROM events") == []
    with pytest.raises(errors.JobError, match="cannot be used"):
        database.read("SELECT * FROM nothing")


def test_a_closed_ledger_says_so(ledger, job):
    ledger.close()
    with pytest.raises(errors.JobError, match=r"was closed.*cx\.resume"):
        ledger.row(job)
    with pytest.raises(errors.JobError, match="was closed"):
        ledger.update(job, None, durable=True, message="")


def test_two_connections_write_in_turn(tmp_path, clock):
    ledgers = [Ledger(tmp_path / "jobs.sqlite", now=clock) for _ in range(2)]
    job = ledgers[0].write_intent(intent(), ORIGIN)

    def write(ledger: Ledger) -> None:
        for number in range(50):
            ledger.note(job, "note", str(number))

    threads = [threading.Thread(target=write, args=(ledger,)) for ledger in ledgers]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(ledgers[0].events(job)) == 100


def test_a_forgotten_job_leaves_nothing(record, ledger):
    record.list_items(map(UploadItem.of_file, record.intent.files))
    ledger.forget(record.id)
    for table in ("jobs", "files", "items", "parts", "events"):
        assert ledger.database.read(f"SELECT * FROM {table}") == []
