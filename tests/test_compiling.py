"""Compiled functions are kept where that can be, work where it cannot, and do not surprise."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import laspy
import numpy as np
import pytest

import cupixgeo as cx
from tests.pipeline.clouds import UTM50, box_of_points, write_las

PACKAGE = Path(cx.__file__).parent

THIN = """
import sys
import numba
import cupixgeo as cx
import cupixgeo.compiling

numba.njit(lambda x: x + 1)(1)
print("a function of somebody else", file=sys.stderr)
for name in sys.argv[2:]:
    cx.merge([sys.argv[1]], name, crs=32651, spacing_m=2.0)
"""
"""Thinning is the least that needs a compiled function: its two take half a second to make."""

THIN_BY_COMMAND = "from cupixgeo.cli import main; main()"

EVERYTHING_COMPILED = """
from cupixgeo.pipeline import duplicates, kernel, layers, neighbours
from cupixgeo.formats.las import pointcodec
from cupixgeo.formats.copc import octree

print(cx.__file__)
"""


@pytest.fixture
def cloud(tmp_path):
    return write_las(tmp_path / "a.laz", box_of_points(2_000, origin=UTM50), crs=32650)


def run(script, *arguments, package=PACKAGE, **environment):
    """Run a script with warnings as errors, on the package in some folder."""
    result = subprocess.run(
        [sys.executable, "-W", "error", "-c", script, *map(str, arguments)],
        capture_output=True,
        text=True,
        check=False,
        cwd=package.parent,
        env=os.environ | {name: str(value) for name, value in environment.items()},
    )
    assert result.returncode == 0, result.stderr
    return result


def test_who_waits_for_the_compiler_is_told_once_and_never_again(tmp_path, cloud):
    outputs = [tmp_path / "one.laz", tmp_path / "two.laz"]
    kept = {"NUMBA_CACHE_DIR": tmp_path / "kept"}
    first = run(THIN, cloud, *outputs, **kept)
    foreign, note = first.stderr.splitlines()
    assert foreign == "a function of somebody else"
    assert note == (
        "cupixgeo compiles its fast code: ten seconds or so, the first time on this machine only."
    )
    second = run(THIN, cloud, *outputs, **kept)
    assert second.stderr.splitlines() == [foreign]


def test_a_disk_too_full_to_keep_them_stops_nobody(tmp_path, cloud):
    limited = "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, 20_000))"
    thin = THIN.replace("spacing_m=2.0", "spacing_m=20.0")
    run(limited + thin, cloud, tmp_path / "out.laz", NUMBA_CACHE_DIR=tmp_path / "kept")
    assert 0 < len(laspy.read(tmp_path / "out.laz")) < 100
    kept = [path.stat().st_size for path in (tmp_path / "kept").rglob("*.nb*")]
    assert max(kept, default=0) <= 20_000


def test_the_command_line_tells_it_too_and_its_output_stays_clean(tmp_path, cloud):
    command = ["merge", cloud, "--to", tmp_path / "out.laz", "--spacing-m", "2", "--json"]
    kept = {"NUMBA_CACHE_DIR": tmp_path / "kept"}
    first, second = (run(THIN_BY_COMMAND, *command, **kept) for _ in range(2))
    assert first.stderr.startswith("cupixgeo compiles its fast code")
    assert first.stdout.startswith("{")
    assert second.stderr == ""


def test_an_install_without_any_folder_to_write_to_works(tmp_path, cloud):
    copy = tmp_path / "site" / "cupixgeo"
    shutil.copytree(PACKAGE, copy, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    for folder, _, _ in os.walk(copy):
        Path(folder, "__pycache__").write_text("no folder, so that not even root can write to it")
    no_folder = copy / "__pycache__" / "nowhere"
    refused = dict.fromkeys(("HOME", "XDG_CACHE_HOME", "NUMBA_CACHE_DIR"), no_folder)
    out = tmp_path / "out.laz"
    result = run(THIN + EVERYTHING_COMPILED, cloud, out, package=copy, **refused)
    assert result.stdout.startswith(str(copy))
    assert "there is no folder to keep it in. Set NUMBA_CACHE_DIR" in result.stderr
    cx.merge([cloud], tmp_path / "expected.laz", crs=32651, spacing_m=2.0)
    thinned, expected = laspy.read(out), laspy.read(tmp_path / "expected.laz")
    assert 0 < len(thinned) < 2_000
    np.testing.assert_array_equal(thinned.points.array, expected.points.array)
