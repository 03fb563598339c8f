"""The documented limits of open modeling, compared with a job.

Knows numbers. Source: DJI's page "Start reconstruction task" (images by kind, tasks by edition).
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import PurePosixPath

from cupixgeo.services.job_values import Intent, LimitCheck

IMAGES: Mapping[str, tuple[int, int]] = {
    "2d": (5, 20_000),
    "3d": (5, 20_000),
    "3dgs": (10, 4_000),
    "lidar": (5, 20_000),
}
"""Kind → fewest and most images."""

TASKS: Mapping[str, int] = {"standard": 2, "professional": 5, "enterprise": 10}
"""Edition → reconstructions at the same time."""

IMAGE_SUFFIXES = frozenset({".jpg", ".jpeg", ".png", ".tif", ".tiff", ".dng"})
"""Inferred: which files count as images."""

_PAGE = "DJI's page on the start call"


def image_count(intent: Intent) -> int:
    """Count the images of a job."""
    return sum(PurePosixPath(f.name).suffix.lower() in IMAGE_SUFFIXES for f in intent.files)


def check_limits(intent: Intent, *, running: int, edition: str | None) -> list[LimitCheck]:
    """Compare a job with the limits.

    Parameters
    ----------
    intent : Intent
        The job.
    running : int
        Reconstructions in progress in the organization.
    edition : str or None
        One of `TASKS`; None where it is not known, and then the most of all editions counts.
    """
    kinds = list(intent.parameters["content"])
    count = image_count(intent)
    checks = [
        LimitCheck(f"photos of a {kind} model", count, *IMAGES[kind], unit="photo", source=_PAGE)
        for kind in kinds
    ]
    if "lidar" in kinds:
        files = sum(file.role == "lidar" for file in intent.files)
        checks.append(LimitCheck("LiDAR files", files, 1, unit="file", source=_PAGE))
    most = max(TASKS.values()) if edition is None else TASKS[edition]
    known = edition or "edition not given, so enterprise"
    checks.append(
        LimitCheck(
            "tasks at the same time",
            running + len(kinds),
            most=most,
            unit="task",
            source=f"{_PAGE} ({known}), asked the service",
        )
    )
    return checks
