"""What tiles cost: rates of one core, and what a second worker brings. One command:

    python benchmarks/tiles.py [--files 12] [--points 1000000] [--tile 40] [--rounds 3]

Makes the scans (placed by a 4x4, EPSG:32650 to EPSG:4547, COPC tiles of point format 7), indexes
and writes them in this process on one core for the rates, then runs the whole merge on a
LocalCluster of one worker and of two in turn. Workers have one thread, and have loaded everything
before the clock starts. Processor time is that of the workers.
"""

from __future__ import annotations

import os

os.environ["RAYON_NUM_THREADS"] = os.environ["OPENBLAS_NUM_THREADS"] = "1"

import argparse
import resource
import shutil
import statistics
import tempfile
import time
from contextlib import ExitStack
from pathlib import Path

from distributed import Client, LocalCluster
from scans import SITE_CRS, write_scan

import cupixgeo as cx
from cupixgeo.pipeline.tiles.index import index_source
from cupixgeo.pipeline.tiles.merge import plan_list
from cupixgeo.pipeline.tiles.plan import TileOptions, plan_tiles
from cupixgeo.pipeline.tiles.write import write_tile

TARGET = "EPSG:4547"
ASSUME = ("CGCS2000=WGS 84",)
TRILLION = 1e12


def make_sources(folder: Path, files: int, points: int) -> list[cx.Source]:
    """Scans on tripods 40 m apart, with their placements."""
    sources = []
    for number in range(files):
        path = folder / f"scan_{number:03d}.laz"
        placement = cx.Transform(
            write_scan(path, number, points, 7),
            source=cx.local_frame(f"scan:{number}"),
            target=SITE_CRS,
        )
        sources.append(cx.Source(path, transform=placement))
    return sources


def rates(sources: list[cx.Source], folder: Path, tile_m: float) -> dict[str, float]:
    """Processor seconds of one core, and what they were spent on."""
    options = TileOptions(tile_m, TARGET, 0.001, ASSUME, 1e-4, False, None)
    folder.mkdir()
    with ExitStack() as stack:
        plan = plan_tiles(sources, str(folder), stack, options)
        index_source(plan.job, plan.sources[0])
        shutil.rmtree(folder / ".unfinished")
        started = time.process_time()
        indexes = {source.number: index_source(plan.job, source) for source in plan.sources}
        index_s = time.process_time() - started
        tiles = plan_list(indexes)
        by_number = {source.number: source for source in plan.sources}
        written = []
        for tile in [tiles[0], *tiles]:
            if len(written) == 1:
                (folder / tiles[0].name).unlink()
                started = time.process_time()
            parts = [by_number[part.number] for part in tile.parts]
            written.append(write_tile(plan.job, tile, parts))
        tile_s = time.process_time() - started
    return {
        "points": sum(tile.points for tile in written[1:]),
        "read": sum(tile.points_read for tile in written[1:]),
        "tiles": len(tiles),
        "bytes_in": sum(source.stamp.size_bytes for source in plan.sources),
        "bytes_out": sum(tile.bytes for tile in written[1:]),
        "index_s": index_s,
        "tile_s": tile_s,
    }


def load() -> None:
    """Import and compile whatever a tile needs, in the worker."""
    from cupixgeo.formats.copc import writer  # noqa: F401
    from cupixgeo.pipeline.tiles import write  # noqa: F401


def used_s() -> float:
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return usage.ru_utime + usage.ru_stime


def run(client: Client, sources: list[cx.Source], folder: Path, tile_m: float) -> tuple:
    """Wall clock and the workers' processor time of one merge [s]."""
    before = sum(client.run(used_s).values())
    started = time.perf_counter()
    cx.merge(sources, folder, crs=TARGET, scale=0.001, assume=ASSUME, tile_m=tile_m, client=client)
    wall = time.perf_counter() - started
    cpu = sum(client.run(used_s).values()) - before
    shutil.rmtree(folder)
    return wall, cpu


def spin(loops: int) -> float:
    """Arithmetic that needs nothing but a core."""
    return sum(number * 1e-9 for number in range(loops))


def control(client: Client) -> float:
    """Wall clock of the same arithmetic, cut in as many jobs as there are tiles [s]."""
    started = time.perf_counter()
    client.gather([client.submit(spin, 4_000_000 + job, pure=False) for job in range(12)])
    return time.perf_counter() - started


def scaling(sources: list[cx.Source], folder: Path, tile_m: float, rounds: int) -> list[str]:
    runs: dict[int, list[tuple]] = {1: [], 2: []}
    with ExitStack() as stack:
        clients = {}
        for workers in runs:
            cluster = LocalCluster(
                n_workers=workers,
                threads_per_worker=1,
                host="127.0.0.1",
                dashboard_address="127.0.0.1:0",
            )
            stack.enter_context(cluster)
            clients[workers] = stack.enter_context(Client(cluster))
            clients[workers].run(load)
            run(clients[workers], sources[:2], folder, tile_m)
        for _ in range(rounds):
            for workers, client in clients.items():
                runs[workers].append((*run(client, sources, folder, tile_m), control(client)))
    lines = [
        "| workers | wall s | workers' CPU s | arithmetic alone, wall s |",
        "|---|---|---|---|",
    ]
    for workers, found in runs.items():
        wall, cpu, plain = (statistics.median(column) for column in zip(*found, strict=True))
        lines.append(f"| {workers} | {wall:.1f} | {cpu:.1f} | {plain:.1f} |")
    pairs = list(zip(runs[1], runs[2], strict=True))
    ratio, allowed = (statistics.median(one[k] / two[k] for one, two in pairs) for k in (0, 2))
    lines += [
        "",
        f"Two workers: **{ratio:.2f}x** one worker (median of {len(pairs)} pairs); for arithmetic "
        f"alone, which shows what the machine has to give, {allowed:.2f}x.",
    ]
    return lines


def model(found: dict[str, float]) -> list[str]:
    points, read = found["points"], found["read"]
    index_ns, tile_ns = (found[f"{stage}_s"] / points * 1e9 for stage in ("index", "tile"))
    hours = (index_ns + tile_ns) * TRILLION / 1e9 / 3600
    return [
        "| what | a point |",
        "|---|---|",
        f"| index | {index_ns:.0f} ns of one core |",
        f"| tile | {tile_ns:.0f} ns of one core, each point decoded {read / points:.2f} times |",
        f"| bytes read | {found['bytes_in'] * (1 + read / points) / points:.1f} |",
        f"| bytes written | {found['bytes_out'] / points:.1f} |",
        "",
        f"10^12 points: {hours:,.0f} core hours, "
        f"{found['bytes_in'] / points * (1 + read / points):.0f} TB read, "
        f"{found['bytes_out'] / points:.0f} TB written.",
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--files", type=int, default=12)
    parser.add_argument("--points", type=int, default=1_000_000)
    parser.add_argument("--tile", type=float, default=40.0)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        sources = make_sources(Path(temporary), given.files, given.points)
        found = rates(sources, Path(temporary) / "rates", given.tile)
        lines = [
            f"{given.files} files of {given.points:,} points, {found['tiles']} tiles of "
            f"{given.tile:g} m, {os.cpu_count()} cores; load {os.getloadavg()[0]:.1f}",
            "",
            *model(found),
            "",
            *scaling(sources, Path(temporary) / "scaling", given.tile, given.rounds),
        ]
    print("\n".join(lines))


if __name__ == "__main__":
    main()
