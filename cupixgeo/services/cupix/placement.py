"""How a Cupix pointcloud comes to lie where it lies: sub → cluster → facility → earth.

Knows how the matrices of a sub and its group are read, joined, scaled and checked against each
other. What is in doubt is said, not guessed: it comes back as a list of doubts. Must not know how
any of it is fetched.

With column vectors: ``wtm(sub) = wtm(group) · tm(sub)`` and ``p_facility = wtm(sub) ·
diag(wscale) · p_file``, the scale only where the matrix does not hold it already.

Sources: CupixWorks pointcloud page (each has its own ``tm``, the final one combines both); which
side multiplies and what ``wscale`` adds is inferred, and checked against ``wtm`` wherever it is
sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt
import pandas as pd

from cupixgeo.errors import ArgumentError, TransformError
from cupixgeo.geodesy.crs import crs_label
from cupixgeo.geodesy.transform import Transform
from cupixgeo.geodesy.wire import apply_scale, disagreement, read_matrix
from cupixgeo.services.cupix.georeference import choose_georeference, read_georeference
from cupixgeo.services.cupix.pointcloud import Facility, Pointcloud

MatrixOrder = Literal["auto", "row", "column"]
Matrix = npt.NDArray[np.float64]

DISAGREEMENT = 1e-6
"""Largest relative difference between ``wtm`` and the chain of ``tm`` that passes without word."""


@dataclass(frozen=True)
class Step:
    """One step of a placement: where from, where to, and what it rests on."""

    transform: Transform
    note: str


@dataclass(frozen=True)
class Placement:
    """The result.

    Parameters
    ----------
    transform : Transform
        From the frame of the pointcloud's file to EPSG:4978, or to the facility's frame where
        there is no georeference.
    steps : tuple of Step
        How it came about, first step first.
    doubts : tuple of str
        What was accepted although it is not certain.
    """

    transform: Transform
    steps: tuple[Step, ...]
    doubts: tuple[str, ...]

    def to_frame(self) -> pd.DataFrame:
        """Show the steps as a table."""
        rows = [
            {
                "source": crs_label(step.transform.source),
                "target": crs_label(step.transform.target),
                "rotation_deg": step.transform.rotation_deg,
                "scale": float(step.transform.scale.mean()),
                **dict(zip("xyz", step.transform.translation, strict=True)),
                "note": step.note,
            }
            for step in self.steps
        ]
        frame = pd.DataFrame(rows)
        frame.attrs["doubts"] = list(self.doubts)
        return frame


def place(
    cloud: Pointcloud,
    group: Pointcloud | None,
    facility: Facility | None,
    *,
    order: MatrixOrder = "auto",
) -> Placement:
    """Compose the placement of a sub.

    Parameters
    ----------
    cloud : Pointcloud
        The sub (or a pointcloud without a group).
    group : Pointcloud or None
        Its group.
    facility : Facility or None
        Its facility.
    order : {"auto", "row", "column"}
        How 16 numbers make a matrix.

    Returns
    -------
    Placement

    Raises
    ------
    TransformError
        If a matrix is not a placement, or scale and matrix contradict each other.
    ResponseError, CrsError, OperationError
        If the georeference cannot be read.
    """
    if cloud.is_group:
        raise ArgumentError(f"{cloud.label} is a group: its subs are placed, not the group.")
    doubts: list[str] = []
    matrices = _read_all(cloud, group, order, doubts)
    joined, note = _joined(cloud, group, matrices, doubts)
    world = _world_frame(cloud, group, facility, doubts)
    sub = _transform(joined, cloud.frame, world, cloud)
    scaled, scale_note = _scaled(sub, cloud, group)
    sub, note = _transform(scaled, cloud.frame, world, cloud), "; ".join([note, *scale_note])
    steps = [Step(sub, note)]
    if group is not None:
        frame = _cluster_frame(cloud, group)
        upper = _transform(_group_matrix(matrices), frame, world, group)
        steps = [Step(upper.inverse @ sub, note), Step(upper, f"matrix of {group.label}")]
    if cloud.attributes.get("use_bim_icp_tm") is True:
        doubts.append(
            f"{cloud.label} has a correction against the building model (bim_icp_tm) whose meaning "
            "is not documented; it was not applied"
        )
    earth = _earth(cloud, group, facility, world)
    if earth is None:
        return Placement(sub, tuple(steps), tuple(doubts))
    return Placement(earth.transform @ sub, (*steps, earth), tuple(doubts))


def _read_all(
    cloud: Pointcloud, group: Pointcloud | None, order: MatrixOrder, doubts: list[str]
) -> dict[tuple[str, str], Matrix]:
    """Read every matrix that was sent; an ambiguous one follows those that are not."""
    sent = {
        (level, name): owner.prop[name]
        for level, owner in (("sub", cloud), ("group", group))
        if owner is not None
        for name in ("tm", "wtm")
        if owner.prop.get(name)
    }
    owners = {"sub": cloud, "group": group}
    found = {}
    for (level, name), values in sent.items():
        try:
            found[level, name] = read_matrix(values, order=order)
        except TransformError as error:
            owner = owners[level]
            assert owner is not None
            raise TransformError(f"{name} of {owner.label} cannot be used: {error}") from error
    known = {matrix.order for matrix in found.values() if not matrix.ambiguous}
    matrices = {}
    for (level, name), matrix in found.items():
        if matrix.order_matters and len(known) == 1:
            (same,) = known
            matrix = read_matrix(sent[level, name], order=same)
        elif matrix.order_matters:
            owner = owners[level]
            assert owner is not None
            doubts.append(
                f"{name} of {owner.label} turns without moving, so that nothing tells whether its "
                "16 numbers are rows or columns; it was read as rows. If that is wrong, connect "
                "with matrix_order='column'"
            )
        matrices[level, name] = matrix.matrix
    return matrices


def _joined(
    cloud: Pointcloud,
    group: Pointcloud | None,
    matrices: Mapping[tuple[str, str], Matrix],
    doubts: list[str],
) -> tuple[Matrix, str]:
    """Join the matrices of a sub and its group, and check them against each other."""
    for level, owner in (("sub", cloud), ("group", group)):
        if owner is not None and not any(key[0] == level for key in matrices):
            doubts.append(
                f"{owner.label} has no matrix (tm and wtm are empty or missing): it is taken to "
                "lie where its parent lies. Align it in the service if it does not"
            )
    chain = _group_matrix(matrices) @ matrices.get(("sub", "tm"), np.eye(4))
    stated = matrices.get(("sub", "wtm"))
    if stated is None:
        return chain, "tm, joined with the group's matrix"
    if ("sub", "tm") not in matrices:
        return stated, "wtm"
    apart = disagreement(stated, chain)
    if apart <= DISAGREEMENT:
        return stated, f"wtm, agrees with the chain of tm to {apart:.1g}"
    shift = float(np.linalg.norm(stated[:3, 3] - chain[:3, 3]))
    doubts.append(
        f"wtm of {cloud.label} and the chain of tm differ by {apart:.3g} (relative; allowed "
        f"{DISAGREEMENT:g}), its origin by {shift:.6g} m; wtm was taken"
    )
    return stated, f"wtm, contradicts the chain of tm by {apart:.3g}"


def _group_matrix(matrices: Mapping[tuple[str, str], Matrix]) -> Matrix:
    found = matrices.get(("group", "wtm"))
    return found if found is not None else matrices.get(("group", "tm"), np.eye(4))


def _scaled(
    sub: Transform, cloud: Pointcloud, group: Pointcloud | None
) -> tuple[Matrix, list[str]]:
    """Bring in the scale to the world, the sub's own or else the group's, where it is missing."""
    stated = next(
        (
            owner.prop[name]
            for owner in (cloud, group)
            for name in ("wscale", "scale")
            if owner is not None and owner.prop.get(name)
        ),
        None,
    )
    try:
        matrix, note = apply_scale(sub.matrix, stated)
    except TransformError as error:
        raise TransformError(f"the scale of {cloud.label} cannot be used: {error}") from error
    return matrix, [note] if note else []


def _cluster_frame(cloud: Pointcloud, group: Pointcloud) -> str:
    cluster = group.cluster_id if group.cluster_id is not None else cloud.cluster_id
    return group.frame if cluster is None else f"cupix:cluster/{cluster}"


def _world_frame(
    cloud: Pointcloud, group: Pointcloud | None, facility: Facility | None, doubts: list[str]
) -> str:
    """Name the frame that matrices lead to: the facility's."""
    if facility is not None:
        return f"cupix:facility/{facility.id}"
    owner = group or cloud
    name = f"record/{owner.record_id}" if owner.record_id is not None else f"world/{owner.id}"
    doubts.append(
        f"the service names no facility for {cloud.label}: it is placed in a frame of its own, "
        f"cupix:{name}, and cannot be georeferenced"
    )
    return f"cupix:{name}"


def _earth(
    cloud: Pointcloud, group: Pointcloud | None, facility: Facility | None, world: str
) -> Step | None:
    owners = [(owner.label, owner.attributes) for owner in (cloud, group) if owner is not None]
    chosen = choose_georeference(owners, facility)
    if chosen is None:
        return None
    sent, owner = chosen
    georeference = read_georeference(sent, owner)
    if georeference is None:
        return None
    transform = Transform.from_georeference(georeference, source=world)
    height = "heights taken as ellipsoidal"
    if all(sent.get(name) in (None, "") for name in ("alt", "z")):
        height = "it states no height, so its origin is taken to lie on the ellipsoid"
    return Step(transform, f"georeference of {owner}; {height}")


def _transform(matrix: Matrix, source: str, target: str, owner: Pointcloud) -> Transform:
    try:
        return Transform(matrix, source=source, target=target)
    except TransformError as error:
        raise TransformError(f"{owner.label} cannot be placed: {error}") from error
