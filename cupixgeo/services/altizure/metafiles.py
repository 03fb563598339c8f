"""Camera poses, intrinsics and groups as Altizure wants them: checked before they are sent.

Knows the three text files; ``initial.xms`` has no public description and is sent as it is. Must
not know how they travel.

Source: altizure/user-docs mega-project.md. Lines of an image's name and numbers, parted by blanks;
a name may hold blanks since changelog 1.6.0. Columns of a distortion are mentioned there without a
description: lines that have them are refused here, too.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

from cupixgeo.errors import ArgumentError

_REAL = r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?"
_LINES = {
    "pose": (rf"(?P<image>.*\S)(?:\s+{_REAL}){{3}}(?:(?:\s+{_REAL}){{3}})?", "name lat lon alt"),
    "camera": (rf"(?P<image>.*\S)(?:\s+{_REAL}){{3}}", "name focal_px cx_px cy_px"),
    "group": (r"(?P<image>.*\S)\s+\d+", "name group"),
}
_LOCAL = "coordinatesystem local"


def check_meta_file(path: Path, role: str) -> None:
    """Look for what the service would refuse.

    Parameters
    ----------
    path : Path
        The file.
    role : str
        ``"pose"``, ``"camera"``, ``"group"``; any other is not looked into.

    Raises
    ------
    ArgumentError
        If a line is wrong, or an image has two poses.
    OSError
        If it cannot be read.
    """
    if role not in _LINES:
        return
    pattern, wanted = _LINES[role]
    seen: set[str] = set()
    for number, line in _lines(path, role):
        match = re.fullmatch(pattern, line)
        if match is None:
            raise ArgumentError(
                f"{path}, line {number}: {line[:60]!r} is not {wanted!r}"
                f"{' [roll pitch yaw]' if role == 'pose' else ''}, parted by blanks. Correct it."
            )
        if role == "pose" and match["image"] in seen:
            raise ArgumentError(
                f"{path}, line {number}: {match['image']} has a pose already. Leave one out."
            )
        seen.add(match["image"])
    if not seen:
        raise ArgumentError(f"{path} names no image: leave {role}= out.")


def _lines(path: Path, role: str) -> Iterator[tuple[int, str]]:
    try:
        text = path.read_text("utf-8-sig")
    except UnicodeDecodeError:
        text = None
    if text is None:
        raise ArgumentError(f"{path} is no UTF-8 text: save it as such.")
    for number, line in enumerate(text.splitlines(), start=1):
        is_head = role == "pose" and number == 1 and " ".join(line.split()) == _LOCAL
        if line.strip() and not is_head:
            yield number, line.strip()
