"""Who holds a job, and when it is known that a process is gone."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace

import pytest

from cupixgeo.services.lease import Holder, Lease, process_start, this_machine

ASLEEP = [sys.executable, "-c", "import time; time.sleep(60)"]


@pytest.fixture
def process():
    process = subprocess.Popen(ASLEEP)
    yield process
    process.kill()
    process.wait()


def holder_of(pid: int) -> Holder:
    return replace(Holder.here(), pid=pid, started=process_start(pid))


def test_this_process_is_not_gone():
    here = Holder.here()
    assert here.pid == os.getpid()
    assert not here.is_gone
    assert f"process {os.getpid()} on " in str(here)
    assert Holder.here().run != here.run


def test_a_killed_process_is_gone_at_once_even_before_anybody_waits_for_it(process):
    holder = holder_of(process.pid)
    assert not holder.is_gone
    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)
    assert holder.is_gone
    process.wait()
    assert holder.is_gone


def test_another_process_with_the_same_id_is_another_process(process):
    holder = replace(holder_of(process.pid), started="1")
    assert holder.is_gone


def test_nobody_can_tell_about_another_machine(process):
    process.kill()
    process.wait()
    assert not replace(holder_of(process.pid), machine="elsewhere").is_gone


def test_a_lease_is_free_when_it_has_run_out_or_its_process_is_gone(process):
    lease = Lease(holder_of(process.pid), until=100.0)
    assert not lease.is_free(99.0)
    assert lease.is_free(100.0)
    process.kill()
    process.wait()
    assert lease.is_free(99.0)


def test_the_machine_is_the_same_for_all_its_processes():
    code = "import sys, cupixgeo.services.lease as l; sys.stdout.write(l.this_machine())"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == this_machine() != ""
