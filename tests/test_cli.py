"""The command line: results on stdout, reasons on stderr, exit codes that mean something."""

import json
import os
import signal
import subprocess
import sys
import time
import warnings

import laspy
import numpy as np
import pandas as pd
import pytest
from typer.testing import CliRunner

from cupixgeo import demo
from cupixgeo.cli import app
from cupixgeo.emulator import Emulator
from cupixgeo.errors import DiskFullError, PlacementWarning
from cupixgeo.pipeline import journal
from cupixgeo.pipeline import merge as merge_module
from cupixgeo.pipeline.fitting import Fitting
from tests.formats.ranged import serve_folder
from tests.net.conftest import Server
from tests.pipeline.clouds import UTM50, box_of_points, write_las

MATRIX = [1, 0, 0, UTM50[0], 0, 1, 0, UTM50[1], 0, 0, 1, UTM50[2], 0, 0, 0, 1]


@pytest.fixture
def run():
    def run(*arguments):
        result = CliRunner().invoke(app, [str(a) for a in arguments], prog_name="cupixgeo")
        if result.exception and not isinstance(result.exception, SystemExit):
            raise result.exception
        return result

    return run


@pytest.fixture(scope="module")
def service():
    with Emulator(seed=7) as emulator:
        base_url, token = emulator.endpoint("cupix")
        yield ["--base-url", base_url, "--token", token]


@pytest.fixture
def clouds(tmp_path):
    placed = write_las(tmp_path / "utm.laz", box_of_points(300, origin=UTM50), crs=32650)
    local = write_las(tmp_path / "local.laz", box_of_points(200, origin=(0, 0, 0)), seed=1)
    return placed, local


def one_line(result):
    """The reason on stderr, which is one line."""
    lines = result.stderr.splitlines()
    assert len(lines) == 1
    return lines[0]


def test_help_names_every_command_and_version_is_the_package_s(run):
    import cupixgeo

    text = run("--help").stdout
    for command in ("demo", "list", "info", "merge", "download", "emulator"):
        assert command in text
        assert run(command, "--help").exit_code == 0
    assert run("--version").stdout == f"cupixgeo {cupixgeo.__version__}\n"


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["mrege"],
        ["merge"],
        ["merge", "no-such.laz", "--to", "out.laz"],
        ["info"],
        ["info", "no-such.laz"],
        ["list"],
        ["list", "cupix", "--format", "xml"],
        ["list", "cupixx"],
        ["emulator", "--port", "70000"],
    ],
    ids=" ".join,
)
def test_bad_usage_is_two(run, arguments):
    result = run(*arguments)
    assert result.exit_code == 2
    assert result.stderr or "Usage: cupixgeo" in result.stdout


def test_a_table_is_printed_whole_in_three_formats(run, service):
    as_json = json.loads(
        run("list", "cupix", "--record-id", 602, "--format", "json", *service).stdout
    )
    as_csv = run("list", "cupix", "--record-id", 602, "--format", "csv", *service)
    lines = as_csv.stdout.splitlines()
    table = run("list", "cupix", "--record-id", 602, *service)
    assert len(as_json) == len(lines) - 1
    assert len([row for row in as_json if row["kind"] == "sub"]) == 7
    assert lines[0].startswith("id,name,kind")
    for row in as_json:
        assert str(row["id"]) in table.stdout
        assert row["name"] in table.stdout
    assert f"{len(as_json)} pointclouds" in table.stderr
    assert as_csv.stderr == ""


def test_other_tables_and_their_filters(run, service):
    captures = run(
        "list", "cupix", "--what", "captures", "--record-id", 602, "--format", "csv", *service
    )
    capture = captures.stdout.splitlines()[1].split(",")[0]
    panos = run(
        "list", "cupix", "--what", "panos", "--capture-id", capture, "--format", "json", *service
    )
    assert {"lon_deg", "lat_deg"} <= set(json.loads(panos.stdout)[0])
    foreign = run("list", "cupix", "--what", "facilities", "--record-id", 602, *service)
    assert foreign.exit_code == 2
    assert "--record-id" in foreign.stderr
    missing = run("list", "cupix", "--what", "clusters", *service)
    assert missing.exit_code == 2
    assert "--capture-id" in missing.stderr


def test_an_empty_table_still_has_its_columns(run, service):
    result = run("list", "cupix", "--record-id", 999_999, "--format", "csv", *service)
    assert result.exit_code == 0
    assert result.stdout.startswith("id,name,kind")
    assert len(result.stdout.splitlines()) == 1


def test_a_refused_token_is_one_and_is_not_repeated(run, service):
    result = run("list", "cupix", "--base-url", service[1], "--token", "wrong-token-of-mine")
    assert result.exit_code == 1
    assert "wrong-token-of-mine" not in one_line(result)
    assert result.stdout == ""


def test_info_tells_what_a_file_holds(run, clouds):
    text = run("info", clouds[0]).stdout
    for said in ("LAZ", "300", "EPSG:32650", "intensity (uint16)"):
        assert said in text
    facts = json.loads(run("info", clouds[0], "--json").stdout)
    las = laspy.read(clouds[0])
    assert facts["points"] == len(las)
    assert facts["bounds"] == [las.header.mins.tolist(), las.header.maxs.tolist()]


def test_merge_brings_placed_files_together(run, clouds, tmp_path):
    places = tmp_path / "places.json"
    places.write_text(
        json.dumps({"local.laz": {"matrix": MATRIX, "source": None, "target": 32650}})
    )
    out, page = tmp_path / "out.laz", tmp_path / "out.html"
    result = run(
        "merge", *clouds, "--to", out, "--crs", "EPSG:32650", "--placements", places,
        "--json", "--source-ids", "--report-html", page,
    )  # fmt: skip
    assert result.exit_code == 0
    assert json.loads(result.stdout)["points_kept"] == 500
    assert result.stderr == ""
    merged, local = laspy.read(out), laspy.read(clouds[1])
    expected = local.xyz + np.array(UTM50)
    assert np.abs(merged.xyz[300:] - expected).max() < 0.0006
    assert np.unique(merged.point_source_id).tolist() == [1, 2]
    assert "<svg" in page.read_text()


def test_merge_takes_only_what_is_asked_for(run, clouds, tmp_path):
    placed, _ = clouds
    low = [UTM50[0] + 10, UTM50[1] + 10]
    ring = [[*low], [low[0] + 80, low[1]], [low[0], low[1] + 60], [*low]]
    area = tmp_path / "area.geojson"
    area.write_text(json.dumps({"type": "Polygon", "coordinates": [ring]}))
    result = run(
        "merge", placed, placed, "--to", tmp_path / "out.laz", "--polygon", area,
        "--classes", "ground,3,4,5,6,7,8,9", "--returns", "first,2", "--drop-duplicates", "--json",
    )  # fmt: skip
    assert result.exit_code == 0
    report = json.loads(result.stdout)
    assert report["selection"]["classes"] == list(range(2, 10))
    assert report["selection"]["returns"] == ["first", 2]
    assert report["sources"][1]["points_kept"] == 0
    assert list(report["removed"]) == ["outside", "class", "return", "duplicate"]
    box = f"{low[0]},{low[1]},{low[0] + 20},{low[1] + 20}"
    result = run("merge", placed, "--to", tmp_path / "o.laz", "--bounds", box, "--spacing-m", "9")
    assert "outside the area" in result.stdout
    assert "in a cube that has its point" in result.stdout


def test_a_stopped_merge_goes_on_with_the_same_command(run, clouds, tmp_path, monkeypatch):
    monkeypatch.setattr(journal, "NOTE_EVERY_S", 0.0)
    command = ["merge", clouds[0], clouds[0], "--to", tmp_path / "out.laz", "--resume"]
    real, calls = Fitting.__call__, []

    def stop(*arguments):
        calls.append(arguments)
        if len(calls) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(Fitting, "__call__", stop)
    result = run(*command)
    assert result.exit_code == 130
    assert one_line(result) == (
        "Stopped. What was finished is kept; the same command goes on from it."
    )
    assert "1 of 2 sources were finished before" in run(*command).stdout


def test_addresses_are_merged_and_described_like_files(run, clouds, tmp_path):
    server = Server()
    try:
        serve_folder(server, list(clouds))
        local = f"{server.url}/local.laz?Signature=abcdef0123456789"
        placements = tmp_path / "places.json"
        placements.write_text(json.dumps({"local.laz": {"matrix": MATRIX, "target": "EPSG:32650"}}))
        options = ["--to", tmp_path / "out.laz", "--placements", placements]
        merged = run("merge", f"{server.url}/utm.laz", local, *options)
        about = run("info", local)
    finally:
        server.close()
    assert laspy.read(tmp_path / "out.laz").header.point_count == 500
    assert "200" in about.stdout
    for said in (merged.stdout, merged.stderr, about.stdout, about.stderr):
        assert "abcdef0123456789" not in said
    missing = run("merge", tmp_path / "no.laz", "--to", tmp_path / "out.laz")
    assert missing.exit_code == 2
    assert "no.laz" in "".join(line.strip("│ ") for line in missing.stderr.splitlines())


@pytest.mark.parametrize(
    ("options", "code", "words"),
    [
        (["--classes", "graund"], 1, "Did you mean 'ground'"),
        (["--returns", ","], 1, "empty"),
        (["--spacing-m", "-1"], 1, "not a length"),
        (["--polygon", "no.geojson"], 1, "cannot read the polygon"),
        (["--bounds", "1,2,3"], 2, "four numbers"),
        (["--bounds", "1,2,3,x"], 2, "not numbers"),
        (["--bounds", "0,0,1,1", "--polygon", "x"], 2, "not both"),
        (["--bounds", "116,39,117,40"], 1, "longitude and latitude"),
    ],
)
def test_merge_refuses_a_request_that_makes_no_sense(run, clouds, tmp_path, options, code, words):
    result = run("merge", clouds[0], "--to", tmp_path / "out.laz", *options)
    assert result.exit_code == code
    assert words in " ".join(result.stderr.split())
    assert not (tmp_path / "out.laz").exists()
    if code == 1:
        one_line(result)


def test_a_polygon_file_that_is_no_json_is_refused(run, clouds, tmp_path):
    (tmp_path / "a.geojson").write_text("POLYGON ((0 0, 1 1))")
    to, polygon = tmp_path / "out.laz", tmp_path / "a.geojson"
    result = run("merge", clouds[0], "--to", to, "--polygon", polygon)
    assert result.exit_code == 1
    assert "is not GeoJSON" in one_line(result)


def test_merge_says_in_words_what_it_did(run, clouds, tmp_path):
    result = run("merge", clouds[0], "--to", tmp_path / "out.las", "--scale", "0.01")
    assert result.exit_code == 0
    assert "300 points of 300 from 1 source" in result.stdout


def test_a_failed_job_is_one_with_one_line_and_no_output(run, clouds, tmp_path):
    out = tmp_path / "out.laz"
    result = run("merge", *clouds, "--to", out, "--crs", "EPSG:32650")
    assert result.exit_code == 1
    assert one_line(result).startswith("cupixgeo: ")
    assert "local.laz" in result.stderr
    assert result.stdout == ""
    assert sorted(p.name for p in tmp_path.iterdir()) == ["local.laz", "utm.laz"]


def test_debug_adds_the_traceback(run, clouds, tmp_path):
    result = run("--debug", "merge", *clouds, "--to", tmp_path / "o.laz", "--crs", "EPSG:32650")
    assert result.exit_code == 1
    assert "Traceback (most recent call last)" in result.stderr
    assert result.stderr.splitlines()[-1].startswith("cupixgeo: ")


def test_debug_may_stand_behind_the_command(clouds, tmp_path):
    command = [sys.executable, "-m", "cupixgeo.cli", "info", "--debug", str(tmp_path / "t.laz")]
    (tmp_path / "t.laz").write_text("not a cloud")
    result = subprocess.run(command, capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "Traceback" in result.stderr
    assert "FormatError" in result.stderr


def test_ctrl_c_is_130_and_says_that_nothing_was_kept(run, clouds, tmp_path, monkeypatch):
    def stopped(*arguments, **options):
        raise KeyboardInterrupt

    monkeypatch.setattr(merge_module, "merge", stopped)
    result = run("merge", *clouds, "--to", tmp_path / "out.laz")
    assert result.exit_code == 130
    assert one_line(result) == "Stopped; nothing was kept."


def test_a_real_ctrl_c_in_the_middle_leaves_no_half_file(tmp_path):
    scan = "data/brighton_beach/reference/model.laz"
    command = [
        sys.executable,
        "-m",
        "cupixgeo.cli",
        "merge",
        *[scan] * 12,
        "--crs",
        "32616",
        "--to",
    ]
    with subprocess.Popen(
        [*command, str(tmp_path / "out.laz")],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=heed_ctrl_c,
    ) as process:
        while process.poll() is None and not list(tmp_path.iterdir()):
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said == "Stopped; nothing was kept.\n"
    assert not list(tmp_path.iterdir())


def heed_ctrl_c():
    """Undo the deafness to SIGINT that a program started in the background inherits."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


def test_a_doubt_is_one_line_and_no_failure(run, clouds, tmp_path, monkeypatch):
    merge = merge_module.merge

    def doubtful(*arguments, **options):
        warnings.warn("the matrix is ambiguous.", PlacementWarning, stacklevel=1)
        return merge(*arguments, **options)

    monkeypatch.setattr(merge_module, "merge", doubtful)
    result = run("merge", clouds[0], "--to", tmp_path / "out.laz")
    assert result.exit_code == 0
    assert one_line(result) == "cupixgeo: warning: the matrix is ambiguous."


def test_a_full_disk_is_told_in_one_line(run, clouds, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise DiskFullError("no room left while writing out.laz.\nFree some space.")

    monkeypatch.setattr(merge_module, "merge", full)
    result = run("merge", *clouds, "--to", tmp_path / "out.laz")
    assert result.exit_code == 1
    assert one_line(result) == "cupixgeo: no room left while writing out.laz. Free some space."


def test_download_prints_the_path_of_each_file(run, service, tmp_path):
    result = run("download", "cupix", 5310, 5312, "--to", tmp_path, *service)
    paths = result.stdout.split()
    assert result.exit_code == 0
    assert len(paths) == 2
    assert laspy.read(paths[0]).header.point_count > 100_000


def test_download_of_a_group_fails_and_leaves_nothing(run, service, tmp_path):
    result = run("download", "cupix", 5300, "--to", tmp_path, *service)
    assert result.exit_code == 1
    assert "5300" in one_line(result)
    assert not list(tmp_path.iterdir())


def test_a_terminal_sees_progress_and_a_file_does_not(tmp_path, clouds):
    command = [sys.executable, "-m", "cupixgeo.cli", "merge", str(clouds[0]), "--to"]
    plain = subprocess.run(
        [*command, str(tmp_path / "a.laz")], capture_output=True, text=True, check=True
    )
    assert plain.stderr == ""
    reader, writer = os.openpty()
    subprocess.run(
        [*command, str(tmp_path / "b.laz")], stderr=writer, stdout=subprocess.PIPE, check=True
    )
    os.close(writer)
    shown = b""
    while chunk := _read(reader):
        shown += chunk
    os.close(reader)
    assert b"Merging" in shown
    assert b"100 %" in shown


def _read(descriptor):
    try:
        return os.read(descriptor, 65_536)
    except OSError:  # the other end of a pseudo-terminal is closed
        return b""


def test_the_emulator_serves_until_ctrl_c():
    environment = {**os.environ, "PYTHONUNBUFFERED": "1"}
    command = [sys.executable, "-m", "cupixgeo.cli", "emulator"]
    with subprocess.Popen(
        command,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=environment,
        preexec_fn=heed_ctrl_c,
    ) as process:
        try:
            base_url = process.stdout.readline().split()[1]
            token = process.stdout.readline().split()[1]
            result = CliRunner().invoke(
                app,
                ["list", "cupix", "--what", "facilities", "--base-url", base_url, "--token", token],
            )
            assert result.exit_code == 0
            assert "facilities" in result.stderr
        finally:
            process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert process.returncode == 0
    assert f'base_url="{base_url}"' in said
    assert said.rstrip().endswith("Stopped.")


def test_a_port_in_use_fails_with_one_line(run, service):
    port = service[1].split(":")[2].split("/")[0]
    result = run("emulator", "--port", port)
    assert result.exit_code == 1
    assert port in one_line(result)


def test_demo_prints_what_it_made(run, tmp_path, monkeypatch):
    from tests.pipeline.reports import merge_report

    made = demo.DemoResult(tmp_path / "d", merge_report(), 155, 15, 0.0005, 15, 9.2)
    asked = []
    monkeypatch.setattr(demo, "run_demo", lambda out, progress: asked.append(out) or made)
    result = run("demo", "--out", tmp_path / "d")
    assert asked == [tmp_path / "d"]
    assert result.stdout == f"{made}\n"


def test_a_terminal_gets_the_columns_that_fit_and_is_told_of_the_others(capsys, monkeypatch):
    from cupixgeo import terminal

    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(terminal.sys.stdout, "isatty", lambda: True, raising=False)
    table = pd.DataFrame({"id": [1, 2], "state": "done", "parent_id": [7, 8]})
    table["parent_name"] = ["west", "east"]
    table["points"] = [123_456, 99]
    table["note"] = ["x" * 50, "y"]
    terminal.print_frame(table)
    shown = capsys.readouterr()
    lines = shown.out.splitlines()
    assert lines[0].split() == ["id", "parent_id", "points"]
    assert lines[2].split() == ["1", "7", "123456"]
    assert max(map(len, lines)) <= 40
    assert "The same in all: state done" in shown.err
    assert "Not shown: note, parent_name; --format csv" in shown.err


def test_tables_keep_text_that_looks_like_markup(capsys):
    from cupixgeo.terminal import print_frame

    print_frame(pd.DataFrame({"id": [1, 2], "name": ["[red]x[/red]", None], "none": [None, None]}))
    shown = capsys.readouterr().out
    assert "[red]x[/red]" in shown
    assert "none" not in shown
    assert not any(line.endswith(" ") for line in shown.splitlines())
