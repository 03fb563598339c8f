"""Models and cameras of a capture as rows of tables, whose columns are declared in `schema`."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from cupixgeo.services.teleport.metadata import Camera, Metadata


def model_rows(metadata: Metadata) -> list[dict[str, Any]]:
    """Make a row for each model."""
    rows = []
    leaves = {model.number for model in metadata.leaves}
    for model in metadata.models:
        row: dict[str, Any] = {
            "number": model.number,
            "profile": metadata.profile,
            "id": model.id,
            "parent": model.parent,
            "is_leaf": model.number in leaves,
            "size": model.size,
        }
        for corner, side in zip(model.box or (), ("min", "max"), strict=False):
            row |= {f"{axis}_{side}": v for axis, v in zip("xyz", corner, strict=True)}
        row |= dict(zip(("near", "far"), model.resolution_range or (), strict=False))
        rows.append(row)
    return rows


def camera_rows(cameras: Iterable[Camera]) -> list[dict[str, Any]]:
    """Make a row for each camera."""
    rows = []
    for number, camera in enumerate(cameras):
        row: dict[str, Any] = {
            "number": number,
            "image_name": camera.image_name or None,
            "matrix": camera.matrix,
            "numbers": camera.numbers,
        }
        if camera.position is not None:
            row |= dict(zip("xyz", camera.position.tolist(), strict=True))
        rows.append(row)
    return rows
