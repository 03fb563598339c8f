"""Merge speed and memory, against what a user would write otherwise. One command:

    python benchmarks/merge.py [--cases 20x1M,thin] [--rounds 3] [--quick] [--folder FOLDER]

Makes the scans, runs this project, PDAL where it is installed (streaming and standard mode) and a
plain laspy + pyproj script in turn on the same jobs, checks that their outputs agree, and writes
benchmarks/RESULTS.md. Nothing is installed; whole processes are measured, start-up included;
compiled code is in its cache after one run that is not counted. Measurements are kept in the
folder, so that cases can be run one after the other; RESULTS.md shows all that are there.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any

from agree import in_any_order, in_order, one_a_cube
from cases import CASES, EDGE_M, Case, prepare, repeated
from measure import Run, in_turn, median, ratios, run
from measure import output as output_of
from pdal_job import pdal_version, pdal_writes_copc, write_pipeline

HERE = Path(__file__).parent
OURS, STREAM, STANDARD, SCRIPT = "cupixgeo", "PDAL --stream", "PDAL standard", "laspy + pyproj"
EXACT = "cupixgeo, exact=True"
OFFSETS = {
    "EPSG:4547": (543_000.0, 4_212_000.0, 0.0),
    "EPSG:32650": (281_000.0, 4_213_000.0, 0.0),
    "EPSG:32616": (116_000.0, 5_200_000.0, 0.0),
}
MOST_FOR_STANDARD = 20_000_000
"""Points above which PDAL's standard mode, which holds them all, is not run."""


def script(name: str, *arguments: str | Path) -> list[str]:
    return [sys.executable, str(HERE / name), *map(str, arguments)]


def commands_of(case: Case, job: Path) -> tuple[dict[str, list[str]], dict[str, Path]]:
    """What to run, and what each run writes."""
    folder = job.parent
    outs = {
        name: folder / f"{job.stem}.{key}.{case.out}"
        for name, key in ((OURS, "ours"), (EXACT, "exact"), (STREAM, "stream"),
                          (STANDARD, "standard"), (SCRIPT, "script"))
    }  # fmt: skip
    commands = {OURS: script("run_project.py", job, outs[OURS])}
    if case.out == "laz":
        if not case.options and case.target != case.crs:
            commands[EXACT] = script("run_project.py", job, outs[EXACT], "--exact")
        commands[SCRIPT] = script("run_laspy.py", job, outs[SCRIPT])
    if pdal_version() and (case.out == "laz" or pdal_writes_copc()):
        offset = OFFSETS[case.target.split("+")[0]]
        pipeline = write_pipeline(job, outs[STREAM], offset=offset)
        if case.out == "laz":  # writers.copc does not stream
            commands[STREAM] = ["pdal", "pipeline", "--stream", str(pipeline)]
        if case.files * case.points <= MOST_FOR_STANDARD:
            commands[STANDARD] = ["pdal", "pipeline", "--nostream", str(pipeline)]
            outs[STANDARD] = outs[STREAM]
    return commands, outs


def agreement(case: Case, job: Path, outs: dict[str, Path], names: list[str]) -> dict[str, str]:
    """Hold each output against ours, in words; a difference that should not be ends the run."""
    others = [name for name in names if name not in (OURS, EXACT)]
    if case.out == "copc.laz":
        plain = prepare_plain(job)
        in_any_order(plain, outs[OURS])
        return {OURS: "all records equal to those of the LAZ output"}
    if "spacing_m" in case.options:
        kept = one_a_cube(outs[OURS], EDGE_M)
        said = {OURS: f"{kept:,} points, one a cube"}
        return said | {
            name: f"{count:,} points ({count / kept - 1:+.2%})"
            for name in others
            for count in [point_count(outs[name])]
        }
    return {
        name: f"attributes equal, coordinates within {worst * 1e3:.2f} mm"
        for name in others
        for worst in [in_order(outs[OURS], outs[name])]
    }


def prepare_plain(job: Path) -> Path:
    """The job of a COPC case with LAZ output, run by this project."""
    content = json.loads(job.read_text()) | {"out": "laz"}
    plain = job.with_name(f"{job.stem}_plain.json")
    plain.write_text(json.dumps(content))
    run(script("run_project.py", plain, plain.with_suffix(".laz")))
    return plain.with_suffix(".laz")


def point_count(path: Path) -> int:
    import laspy

    with laspy.open(path) as reader:
        return int(reader.header.point_count)


def measure_case(name: str, case: Case, folder: Path, rounds: int) -> dict[str, Any]:
    job = prepare(case, folder, name)
    commands, outs = commands_of(case, job)
    run(commands[OURS])
    runs = in_turn(commands, rounds)
    run(commands[OURS])
    said = agreement(case, job, outs, list(commands))
    stages = json.loads(output_of(script("stages.py", job, outs[OURS])).splitlines()[-1])
    for path in set(outs.values()):
        path.unlink(missing_ok=True)
    return {
        "case": asdict(case),
        "rounds": rounds,
        "pdal": pdal_version(),
        "runs": {tool: [asdict(r) for r in several] for tool, several in runs.items()},
        "agreement": said,
        "stages": stages,
    }


def measure_memory(folder: Path, *, quick: bool) -> list[dict[str, Any]]:
    """This project on the first case repeated: peak memory must not grow."""
    case = CASES["20x1M"].quick() if quick else CASES["20x1M"]
    job = prepare(case, folder, "memory")
    rows = []
    for times in (1, 3, 10):
        out = folder / "memory.laz"
        measured = run(script("run_project.py", repeated(job, times), out))
        out.unlink()
        rows.append({"points": case.files * case.points * times} | asdict(measured))
    return rows


def measure_start(folder: Path, rounds: int) -> dict[str, Any]:
    """The smallest merge there is: what a process costs before the first point."""
    case = Case("a thousand points", files=1, points=1000)
    job = prepare(case, folder, "start")
    runs = in_turn({OURS: script("run_project.py", job, folder / "start.laz")}, max(3, rounds))
    return asdict(median(runs[OURS]))


def rows_of(results: dict[str, Any]) -> list[str]:
    """One table of all cases, then the details of each."""
    lines = [
        "Ratios are the other tool's time over ours, wall / CPU: medians of paired runs.",
        "",
        "| case | points | wall s | CPU s | peak MiB | ns a point, CPU "
        f"| {STREAM} | {STANDARD} | {SCRIPT} |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    details = []
    for name in (name for name in CASES if name in results["cases"]):
        result = results["cases"][name]
        case, ours = Case(**result["case"]), runs_in(result, OURS)
        points = case.files * case.points
        m = median(ours)
        peers = []
        for tool in (STREAM, STANDARD, SCRIPT):
            theirs = runs_in(result, tool)
            wall, cpu = ratios(ours, theirs) if theirs else (0.0, 0.0)
            peers.append(f"{wall:.1f} / **{cpu:.1f}**" if theirs else "-")
        lines.append(
            f"| {name} | {points / 1e6:g} M | {m.wall_s:.1f} | {m.cpu_s:.1f} | {m.peak_mib:.0f} | "
            f"{m.cpu_s / points * 1e9:.0f} | {' | '.join(peers)} |"
        )
        details += details_of(name, case, result)
    return [*lines, *details]


def details_of(name: str, case: Case, result: dict[str, Any]) -> list[str]:
    points = case.files * case.points
    lines = [
        "",
        f"### {name}: {case.title}",
        "",
        f"{case.files} files of {case.points:,} points, format {case.point_format}, {case.crs} to "
        f"{case.target}; {result['rounds']} rounds"
        + (f"; {result['pdal']}." if result["pdal"] else "; PDAL is not installed here."),
        "",
        "| run | wall s | CPU s | peak MiB | output against ours |",
        "|---|---|---|---|---|",
    ]
    for tool in result["runs"]:
        m = median(runs_in(result, tool))
        said = result["agreement"].get(tool, "")
        lines.append(f"| {tool} | {m.wall_s:.1f} | {m.cpu_s:.1f} | {m.peak_mib:.0f} | {said} |")
    if case.out == "copc.laz" and len(result["runs"]) == 1:
        lines += ["", "No PDAL with writers.copc is installed here; there was nothing to compare."]
    stages = "; ".join(
        f"{stage} {seconds:.2f} s ({seconds / points * 1e9:.0f} ns a point)"
        for stage, seconds in result["stages"].items()
    )
    return [*lines, "", f"Our processor time by stage: {stages}."]


def runs_in(result: dict[str, Any], tool: str) -> list[Run]:
    return [Run(**values) for values in result["runs"].get(tool, [])]


def page(results: dict[str, Any]) -> str:
    lines = [
        "# Merge benchmark",
        "",
        f"`python benchmarks/merge.py`, {os.cpu_count()} cores, Python "
        f"{platform.python_version()}. Whole processes run in turn, start-up included.",
        "",
        "## Cases",
        "",
        *rows_of(results),
    ]
    if "memory" in results:
        lines += ["", "## Memory against input size", "", "| points | wall s | peak MiB |"]
        lines += ["|---|---|---|"]
        lines += [
            f"| {row['points'] / 1e6:g} M | {row['wall_s']:.1f} | {row['peak_mib']:.0f} |"
            for row in results["memory"]
        ]
    if "start" in results:
        start = results["start"]
        lines += [
            "",
            "## Start-up",
            "",
            f"A merge of a thousand points takes {start['wall_s']:.2f} s wall, "
            f"{start['cpu_s']:.2f} s CPU and {start['peak_mib']:.0f} MiB.",
        ]
    return "\n".join([*lines, ""])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", default=",".join(CASES), help=f"of {', '.join(CASES)}")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--quick", action="store_true", help="hardly any points; prints only")
    parser.add_argument("--folder", type=Path, help="where data is kept; a temporary one")
    given = parser.parse_args()
    names = given.cases.split(",")
    if unknown := [name for name in names if name not in CASES]:
        parser.error(f"no such case: {', '.join(unknown)}")
    with tempfile.TemporaryDirectory() as temporary:
        folder = (given.folder or Path(temporary)) / ("quick" if given.quick else "full")
        folder.mkdir(parents=True, exist_ok=True)
        kept = folder / "results.json"
        results = json.loads(kept.read_text()) if kept.exists() else {"cases": {}}
        for name in names:
            case = CASES[name].quick() if given.quick else CASES[name]
            results["cases"][name] = measure_case(name, case, folder, given.rounds)
            kept.write_text(json.dumps(results, indent=1))
            print("\n".join(details_of(name, case, results["cases"][name])), flush=True)
        if "20x1M" in names:
            results["memory"] = measure_memory(folder, quick=given.quick)
            results["start"] = measure_start(folder, given.rounds)
            kept.write_text(json.dumps(results, indent=1))
    text = page(results)
    if not given.quick:
        (HERE / "RESULTS.md").write_text(text)
    print(text)


if __name__ == "__main__":
    main()
