"""Time and memory of a preflight over a folder of 2,000 photos. One command:

    python benchmarks/preflight.py [--photos 2000] [--workers 2] [--mode links|distinct]

The photos are the 18 real ones. ``links`` makes hard links: all but 18 are the same file as
another, so every file is hashed on top of being decoded. ``distinct`` makes copies that differ in
their last bytes. Whole processes are measured, start-up
included; the files are in the page cache, as the machine decides.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from measure import run

ROOT = Path(__file__).parents[1]
IMAGES = ROOT / "data" / "brighton_beach" / "images"
LOOK = """
import sys
sys.path.insert(0, sys.argv[1])
from cupixgeo.photos.preflight import preflight
found = preflight(sys.argv[2], workers=int(sys.argv[3]))
print(found, file=sys.stderr)
assert len(found.table) == int(sys.argv[4])
found._repr_html_()
"""


def fill(folder: Path, photos: int, mode: str) -> None:
    originals = sorted(IMAGES.glob("*.JPG"))
    contents = [path.read_bytes() for path in originals] if mode == "distinct" else []
    for number in range(photos):
        place = number % len(originals)
        target = folder / f"DJI_{number:05d}.JPG"
        if mode == "distinct":
            target.write_bytes(contents[place] + number.to_bytes(4, "big"))
        else:
            try:
                os.link(originals[place], target)
            except OSError:  # another file system
                target.symlink_to(originals[place])


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--photos", type=int, default=2000)
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--mode", choices=["links", "distinct"], default="links")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=ROOT) as folder:
        fill(Path(folder), options.photos, options.mode)
        arguments = [str(ROOT), folder, str(options.workers), str(options.photos)]
        result = run([sys.executable, "-c", LOOK, *arguments])
    print(
        f"{options.photos} photos ({options.mode}), {options.workers} workers: "
        f"{result.wall_s:.1f} s wall, {result.cpu_s:.1f} s processor, "
        f"peak {result.peak_mib:.0f} MiB"
    )


if __name__ == "__main__":
    main()
