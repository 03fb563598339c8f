"""Facility 15: what a client meets on a bad day, one pointcloud each, out of the main record's way.

What each id is for stands in `cupixgeo.emulator.cupix.ids.OddIds`.
"""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cupixgeo.emulator.cupix.ids import Ids, OddIds
from cupixgeo.emulator.cupix.made_up import small_contents
from cupixgeo.emulator.cupix.models import Item
from cupixgeo.emulator.cupix.site import IDENTITY, Contents, Placed, Site, geographic
from cupixgeo.emulator.files import small_cloud, write_opaque
from cupixgeo.emulator.frames import Array, Georeference, placement, rotation, scaling
from cupixgeo.emulator.ply import write_ply, write_triangle

_POINTS = 120
_ORIGIN = Georeference(46.9, -92.05, alt_m=190.0)
_OWN_ORIGIN = Georeference(46.95, -92.1, alt_m=200.0, bearing_deg=45.0)
_GROUP = placement(rotation(yaw_deg=20.0), (8.0, 4.0, 1.0))
_SUB = placement(rotation(yaw_deg=-35.0, roll_deg=2.0), (3.0, -6.0, 0.25))


def build_odd(ids: Ids, seed: int) -> Site:
    """Return the facility with all odd cases."""
    odd = ids.odd
    site = Site(
        ids.odd_facility, ids.odd_facility_key, "Odd cases", 1, geographic(_ORIGIN),
        ids.odd_record, 46, "2024-04-16T12:00:00.000Z",
    )  # fmt: skip
    site.add_frame(level="Yard", record="Odd cases")
    capture = site.add_capture(851, "Odd cases", material="pointcloud")
    plain = Placed.alone(_GROUP)
    cluster = site.add_cluster(3470, "Odd cluster", capture, plain)
    group = site.add_group(odd.plain_group, "Odd group", plain, cluster=cluster)
    _add_odd_matrices(site, seed, odd, group, plain)
    _add_odd_groups(site, seed, odd, cluster)
    _add_odd_contents(site, seed, odd, cluster)
    _add_odd_georeferences(site, seed, odd, group, plain)
    _add_mesh(site, odd)
    return site


def _add_odd_matrices(site: Site, seed: int, odd: OddIds, group: Item, placed: Placed) -> None:
    good = placed.under(_SUB)
    one_metre_off = placement(np.eye(3), (1.0, 0.0, 0.0))
    projective = _SUB.copy()
    projective[3, :3] = 0.01
    mirror = _SUB @ np.diag([-1.0, 1.0, 1.0, 1.0])
    shear = _SUB.copy()
    shear[:3, :3] = _SUB[:3, :3] @ [[1, 0.2, 0], [0, 1, 0], [0, 0, 1]]
    turn = placement(rotation(yaw_deg=40.0), (0.0, 0.0, 0.0))
    cases = {
        odd.empty_matrix: ("Empty matrices", Placed([], [])),
        odd.missing_matrix: ("No matrices", Placed(None, None)),
        odd.contradiction: ("Contradicting matrices", replace(good, wtm=one_metre_off @ good.wtm)),
        odd.not_affine: ("Projective matrix", placed.under(projective)),
        odd.mirrored: ("Mirrored", placed.under(mirror)),
        odd.sheared: ("Sheared", placed.under(shear)),
        odd.ambiguous: ("Rotation only", Placed(turn, turn)),
    }
    for sub_id, (name, case) in cases.items():
        site.add_sub(
            sub_id, name, case, group, contents=small_contents(seed, sub_id, points=_POINTS)
        )


def _add_odd_groups(site: Site, seed: int, odd: OddIds, cluster: Item) -> None:
    baked = _GROUP @ scaling(1.25)
    unclear = _GROUP @ scaling(1.1)
    moved = placement(rotation(yaw_deg=75.0), (-4.0, 9.0, 0.5))
    cases: list[tuple[int, str, Array, float, Item | None]] = [
        (odd.baked_scale_group, "Baked scale", baked, 1.25, cluster),
        (odd.odd_scale_group, "Unclear scale", unclear, 1.25, cluster),
        (odd.no_cluster_group, "No cluster", _GROUP, 1.0, None),
        (odd.moved_group, "Moved by hand", _GROUP, 1.0, cluster),
    ]
    for group_id, name, matrix, scale, parent in cases:
        placed = Placed.alone(matrix, scale=scale)
        meta: dict[str, Any] = {}
        if group_id == odd.moved_group:
            prop = {**placed.prop(), "scale": np.ones(3), "wscale": np.ones(3)}
            meta = {"meta": {"prop": prop, "user_prop": _user_prop(moved)}}
            placed = Placed.alone(moved)
        group = site.add_group(group_id, name, placed, cluster=parent, **meta)
        sub_id = group_id + 1
        contents = small_contents(seed, sub_id, points=_POINTS)
        site.add_sub(sub_id, f"{name} 1", placed.under(_SUB), group, contents=contents)


def _add_odd_contents(site: Site, seed: int, odd: OddIds, cluster: Item) -> None:
    placed = Placed.alone(_GROUP)
    group = site.add_group(
        odd.reconstruction_group, "Reconstruction", placed, kind="3d_reconstructed", cluster=cluster
    )
    text = Contents(
        f"scan-{odd.ascii_ply}.cpc",
        lambda: _POINTS,
        lambda: len(write_opaque((seed, odd.ascii_ply), _POINTS)),
        lambda: write_opaque((seed, odd.ascii_ply), _POINTS),
        lambda: _ascii_ply((seed, odd.ascii_ply)),
    )
    site.add_sub(odd.ascii_ply, "Text PLY", placed.under(_SUB), group, contents=text)
    nothing = Contents(f"scan-{odd.not_ready}.cpc", lambda: 0, lambda: 0, None)
    site.add_sub(
        odd.not_ready, "In the making", placed.under(_SUB), group, contents=nothing,
        state="created", resource_state="created", published_at=None,
    )  # fmt: skip
    good = small_contents(seed, odd.hostile_name, points=_POINTS)
    hostile = replace(good, filename="../../evil/<b>.laz")
    site.add_sub(
        odd.hostile_name, '<script>alert("x")</script> & Söhne', placed.under(_SUB), group,
        contents=hostile, pointcloud_type="uploaded",
    )  # fmt: skip


def _add_odd_georeferences(site: Site, seed: int, odd: OddIds, group: Item, placed: Placed) -> None:
    own = geographic(_OWN_ORIGIN)
    cases: dict[int, tuple[str, dict[str, Any]]] = {
        odd.own_georeference: (
            "Own georeference", {"use_georeference": True, "georeference": own},
        ),
        odd.frozen_georeference: ("Frozen georeference", {"constants": {"georeference": own}}),
        odd.bim_aligned: (
            "Aligned to BIM", {"use_bim_icp_tm": True, "bim_icp_tm": {"tm": _SUB, "version": 1}},
        ),
    }  # fmt: skip
    for sub_id, (name, fields) in cases.items():
        contents = small_contents(seed, sub_id, points=_POINTS)
        site.add_sub(sub_id, name, placed.under(_SUB), group, contents=contents, **fields)


def _add_mesh(site: Site, odd: OddIds) -> None:
    prop = {
        "tm": IDENTITY, "wtm": IDENTITY, "scale": np.ones(3), "wscale": np.ones(3),
        "bounding_box": {"min": [0.0, 0.0, 0.0], "max": [1.0, 1.0, 0.0]},
    }  # fmt: skip
    moved = placement(rotation(yaw_deg=12.0), (2.0, 1.0, 0.0))
    site.add(
        "mesh", odd.moved_mesh, "Moved mesh",
        {
            "meta": {"prop": prop, "user_prop": _user_prop(moved)}, "mesh_state": "done",
            "record": {"id": site.record_id, "name": "Odd cases", "type": "Record"},
            "level": {"id": site.level_id, "name": "Yard", "type": "Level"},
            "use_georeference": False, "georeference": None, "constants": {"georeference": None},
        },
        links={"record_id": site.record_id, "level_id": site.level_id},
        files={"download": ("mesh.zip", "application/zip", _mesh_zip)},
    )  # fmt: skip


def _user_prop(matrix: Array) -> dict[str, Any]:
    return {
        "ver": 1, "locked": False, "visible": True, "enabled": True,
        "tm": matrix, "wtm": matrix, "scale": np.ones(3), "wscale": np.ones(3),
        "unit": {"ver": 1, "label": "m", "scale_factor": 1},
    }  # fmt: skip


@cache
def _ascii_ply(key: tuple[int, ...]) -> bytes:
    xyz, attributes = small_cloud(key, _POINTS)
    columns: dict[str, NDArray[np.generic]] = dict(zip("xyz", np.round(xyz, 4).T, strict=True))
    columns |= {name: attributes[name] for name in ("red", "green", "blue")}
    return write_ply(columns, ascii_text=True)


@cache
def _mesh_zip() -> bytes:
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w") as archive:
        archive.writestr(zipfile.ZipInfo("mesh.ply", (2024, 4, 16, 12, 0, 0)), write_triangle())
    return target.getvalue()
