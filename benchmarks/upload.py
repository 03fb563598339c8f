"""Upload speed of a job against a plain curl loop, to the same emulated NodeODM. One command:

    python benchmarks/upload.py [--photos 300] [--rounds 3]

The emulator runs in a process of its own. Ours is the time from launch until every byte is at the
service: checksums, ledger and retries included. curl sends the same files one after the other.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import uuid
from pathlib import Path

SAMPLES = sorted((Path(__file__).parents[1] / "data/brighton_beach/images").glob("*.JPG"))
SERVE = """
import sys
from cupixgeo.emulator import Emulator
with Emulator(seed=7) as emulator:
    endpoint = emulator.endpoint("nodeodm")
    print(endpoint.base_url, endpoint.token, flush=True)
    sys.stdin.read()
"""


def make_photos(folder: Path, count: int) -> int:
    """Distinct photos, made of the samples and four bytes each; return their size [byte]."""
    for number in range(count):
        data = SAMPLES[number % len(SAMPLES)].read_bytes() + number.to_bytes(4, "little")
        (folder / f"DJI_{number:04d}.JPG").write_bytes(data)
    return sum(path.stat().st_size for path in folder.iterdir())


def by_job(base_url: str, token: str, folder: Path) -> float:
    import cupixgeo as cx

    with cx.connect("nodeodm", token=token, base_url=base_url) as account:
        plan = account.plan(folder, name="upload benchmark")
        started = time.perf_counter()
        job = plan.launch()
        while (now := job.progress()).bytes_done < now.bytes_total or now.files_done == 0:
            time.sleep(0.005)
        seconds = time.perf_counter() - started
        job.stop()
    return seconds


def by_curl(base_url: str, token: str, folder: Path) -> float:
    task = str(uuid.uuid4())
    quiet = ["curl", "-sf", "-o", os.devnull]
    init = ["-H", f"set-uuid: {task}", "-F", "name=curl", f"{base_url}/task/new/init?token={token}"]
    subprocess.run([*quiet, *init], check=True)
    started = time.perf_counter()
    for path in sorted(folder.iterdir()):
        address = f"{base_url}/task/new/upload/{task}?token={token}"
        subprocess.run([*quiet, "-F", f"images=@{path}", address], check=True)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--photos", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "photos"
        folder.mkdir()
        os.environ["CUPIXGEO_STATE"] = str(Path(temporary) / "state")
        size = make_photos(folder, given.photos)
        server = subprocess.Popen(
            [sys.executable, "-c", SERVE], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        assert server.stdout is not None
        base_url, token = server.stdout.readline().split()
        ours, curls = [], []
        try:
            for _ in range(given.rounds):
                ours.append(size / by_job(base_url, token, folder) / 1e6)
                curls.append(size / by_curl(base_url, token, folder) / 1e6)
        finally:
            server.communicate()
            shutil.rmtree(folder)
    ratio = statistics.median(a / b for a, b in zip(ours, curls, strict=True))
    print(f"{given.photos} photos, {size / 1e6:.0f} MB, medians of {given.rounds} rounds")
    print(f"job {statistics.median(ours):.0f} MB/s, curl {statistics.median(curls):.0f} MB/s")
    print(f"job / curl {ratio:.2f}x")


if __name__ == "__main__":
    main()
