"""The ground truth: a real scan, cut up, and every cut moved into a frame of its own.

Knows the original file, which of its points went into which piece (a *sub*), and the exact
transforms between the piece's frame, its cluster, the facility and the earth. Services publish
this world; tests compare with it. Knows no service and no HTTP.

The convention is that of the service facts, in column vectors::

    p_facility = wtm(sub) · diag(wscale) · p_file      wtm(sub) = wtm(group) · tm(sub)

``wtm`` matrices here are rigid and ``wscale`` is not baked into them, so the scale of the second
cluster acts on the file's coordinates first (service facts, rule for ``scale`` and ``wscale``).

Source of the scan: ``data/brighton_beach/SOURCE.md``; heights are taken as ellipsoidal.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass
from functools import cached_property, lru_cache
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from cupixgeo.emulator.files import GRID_M, opaque_size, write_laz, write_opaque
from cupixgeo.emulator.frames import (
    Array,
    Georeference,
    apply_matrix,
    placement,
    quaternion,
    rotation,
    scaling,
)
from cupixgeo.emulator.photos import Photo, read_photos
from cupixgeo.emulator.ply import write_ply

if TYPE_CHECKING:
    from laspy.lasdata import LasData

    from cupixgeo.emulator.cupix.ids import CupixTruth

_UTM_ZONE = 15
_ATTRIBUTES = (
    "intensity", "return_number", "number_of_returns", "classification", "user_data",
    "point_source_id", "gps_time", "red", "green", "blue",
)  # fmt: skip
_PLY_ATTRIBUTES = ("red", "green", "blue", "user_data", "return_number", "number_of_returns")


@dataclass(frozen=True)
class ClusterPlan:
    """One side of the site: its ids and how its pieces are stored.

    Parameters
    ----------
    cluster_id, group_id : int
        Alignment cluster and the pointcloud group that belongs to it.
    sub_ids : tuple of int
        The pieces.
    kind : str
        ``"uploaded"`` (LAZ files) or ``"3d_reconstructed"`` (opaque file and PLY).
    scale : float
        Metres per unit of the files.
    yaw_deg : float
        [deg] rotation of the cluster within the facility.
    """

    cluster_id: int
    group_id: int
    sub_ids: tuple[int, ...]
    kind: str
    scale: float
    yaw_deg: float


WEST = ClusterPlan(3416, 5300, (5310, 5311, 5312, 5313), "uploaded", 1.0, 30.0)
EAST = ClusterPlan(3417, 5320, (5321, 5322, 5323), "3d_reconstructed", 0.85, -112.0)


class Sub:
    """One piece of the scan.

    Attributes
    ----------
    id, group_id, cluster_id : int
        Its own id, that of its parent group, and that of the group's cluster.
    kind : str
        ``"uploaded"`` or ``"3d_reconstructed"``.
    original_indices : ndarray, shape (n,), int64
        Rows of the original file, ascending; point k of the piece is row original_indices[k].
    tm : ndarray, shape (4, 4), float64
        Published ``tm``: rigid, sub to cluster.
    cluster_to_facility : ndarray, shape (4, 4), float64
        Published ``wtm`` of the group: rigid, cluster to facility.
    scale : float
        Published ``wscale`` of the group, in all three axes: metres per unit of the file.
    """

    def __init__(
        self, plan: ClusterPlan, sub_id: int, rows: NDArray[np.int64], *, site: Brighton
    ) -> None:
        rng = np.random.default_rng((site.seed, sub_id))
        yaw, pitch, roll = rng.uniform((-180, -4, -4), (180, 4, 4))
        turn = rotation(yaw_deg=yaw, pitch_deg=pitch, roll_deg=roll)
        self.id = sub_id
        self.group_id = plan.group_id
        self.cluster_id = plan.cluster_id
        self.kind = plan.kind
        self.original_indices = rows
        self.tm = placement(turn, rng.uniform((-60, -60, -12), (60, 60, 12)))
        self.cluster_to_facility = site.cluster_placement(plan)
        self.scale = plan.scale
        self._point_format = 7 if plan.sub_ids.index(sub_id) % 2 == 0 else 3
        self._site = site
        self._lock = threading.RLock()

    @property
    def point_count(self) -> int:
        """Number of points."""
        return len(self.original_indices)

    @property
    def filename(self) -> str:
        """Name of the file the service keeps."""
        return f"shore-{self.id}.{'laz' if self.kind == 'uploaded' else 'cpc'}"

    @property
    def wtm(self) -> Array:
        """Published ``wtm`` of the sub, (4, 4): rigid, without the scale."""
        return self.cluster_to_facility @ self.tm

    @property
    def sub_to_cluster(self) -> Array:
        """Matrix (4, 4) from the file's coordinates to the cluster [m], with the scale."""
        return self.tm @ scaling(self.scale)

    @property
    def sub_to_facility(self) -> Array:
        """Matrix (4, 4) from the file's coordinates to the facility [m]: the whole local chain."""
        return self.cluster_to_facility @ self.sub_to_cluster

    @cached_property
    def file_xyz(self) -> Array:
        """Coordinates (n, 3) as stored, in the piece's own frame, multiples of 0.0001."""
        original = self._site.original_xyz[self.original_indices]
        facility = self._site.georeference.local_from_utm(original, zone=_UTM_ZONE)
        to_local = np.linalg.inv(self.sub_to_facility).astype(np.float64)
        local = apply_matrix(to_local, facility)
        return np.rint(local / GRID_M) * GRID_M

    @property
    def file_size(self) -> int:
        """Size [byte] of what `download` gives."""
        return len(self.laz) if self.kind == "uploaded" else opaque_size(self.point_count)

    @property
    def file(self) -> bytes:
        """What `download` gives: LAZ of an uploaded piece, opaque bytes of a reconstruction."""
        return self.laz if self.kind == "uploaded" else self.opaque

    @property
    def laz(self) -> bytes:
        """The piece as a LAZ file, made once."""
        with self._lock:
            return self._laz

    @property
    def ply(self) -> bytes:
        """The piece as a binary PLY with double coordinates, made once."""
        with self._lock:
            return self._ply

    @cached_property
    def _laz(self) -> bytes:
        columns = {name: self._site.attribute(name)[self.original_indices] for name in _ATTRIBUTES}
        return write_laz(self.file_xyz, columns, point_format=self._point_format)

    @cached_property
    def _ply(self) -> bytes:
        xyz = np.round(self.file_xyz, 4)
        columns: dict[str, NDArray[np.generic]] = dict(zip("xyz", xyz.T, strict=True))
        for name in _PLY_ATTRIBUTES:
            values = self._site.attribute(name)[self.original_indices]
            columns[name] = values.astype(
                np.uint16 if name in ("red", "green", "blue") else np.uint8
            )
        return write_ply(columns)

    @cached_property
    def opaque(self) -> bytes:
        """The opaque file of a reconstruction."""
        return write_opaque((self._site.seed, self.id), self.point_count)


@dataclass(frozen=True)
class PlacedPhoto:
    """A photo with its pose in the facility.

    Parameters
    ----------
    photo : Photo
        File and metadata.
    pos : tuple of float
        [m] camera position in the facility's local axes.
    quat : list of float
        (x, y, z, w): turns camera axes (x right, y forward, z up) into facility axes.
    cluster_id : int or None
        Cluster it is aligned to, None for a photo that could not be aligned.
    """

    photo: Photo
    pos: tuple[float, float, float]
    quat: list[float]
    cluster_id: int | None


class Brighton:
    """The real scan of Brighton Beach as a facility with seven pieces in two clusters.

    Parameters
    ----------
    seed : int
        Decides the cuts and the transforms.
    """

    original_crs = "EPSG:32615"
    georeference = Georeference(46.8425, -91.9941, alt_m=151.25, bearing_deg=23.5)

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self._lock = threading.RLock()

    @property
    def original_path(self) -> Path:
        """The original scan (LAZ)."""
        return data_folder() / "reference" / "model.laz"

    @property
    def subs(self) -> dict[int, Sub]:
        """The pieces by id; the scan is read and cut on first use."""
        with self._lock:
            return self._subs

    @property
    def photos(self) -> list[PlacedPhoto]:
        """The 18 photos with their poses."""
        with self._lock:
            return self._photos

    @cached_property
    def original_xyz(self) -> Array:
        """Coordinates (n, 3), float64 [m], in EPSG:32615 with ellipsoidal heights."""
        cloud = self._original
        grid = np.column_stack([cloud.X, cloud.Y, cloud.Z]).astype(np.float64)
        return np.asarray(grid * cloud.header.scales + cloud.header.offsets)

    def attribute(self, name: str) -> NDArray[np.generic]:
        """Return a column (n,) of the original file, named as laspy names it."""
        return np.asarray(self._original[name])

    def cluster_placement(self, plan: ClusterPlan) -> Array:
        """Return the matrix (4, 4) from a cluster to the facility, rigid."""
        rng = np.random.default_rng((self.seed, plan.cluster_id))
        pitch, roll = rng.uniform(-1.5, 1.5, 2)
        turn = rotation(yaw_deg=plan.yaw_deg, pitch_deg=pitch, roll_deg=roll)
        return placement(turn, rng.uniform((-40, -40, -5), (40, 40, 5)))

    @cached_property
    def _original(self) -> LasData:
        from laspy.lib import read_las

        return read_las(self.original_path)

    @cached_property
    def _subs(self) -> dict[int, Sub]:
        """Cut the site into west and east, then each side into strips, along slanted lines."""
        rng = np.random.default_rng(self.seed)
        x, y = (self.original_xyz[:, :2] - self.original_xyz[:, :2].mean(axis=0)).T
        across = x + rng.uniform(-0.3, 0.3) * y
        is_west = across < np.quantile(across, rng.uniform(0.5, 0.6))
        along = y + rng.uniform(-0.3, 0.3) * x
        subs: dict[int, Sub] = {}
        for plan, side in ((WEST, is_west), (EAST, ~is_west)):
            count = len(plan.sub_ids)
            shares = (np.arange(1, count) + rng.uniform(-0.2, 0.2, count - 1)) / count
            strip = np.searchsorted(np.quantile(along[side], shares), along, side="right")
            for number, sub_id in enumerate(plan.sub_ids):
                rows = np.flatnonzero(side & (strip == number))
                subs[sub_id] = Sub(plan, sub_id, rows, site=self)
        return subs

    @cached_property
    def _photos(self) -> list[PlacedPhoto]:
        photos = read_photos(data_folder() / "images")
        gps = np.array([(p.lon_deg, p.lat_deg, p.alt_m) for p in photos])
        positions = self.georeference.local_from_gps(gps)
        middle = float(np.median(positions[:, 0]))
        placed = []
        for number, (photo, pos) in enumerate(zip(photos, positions, strict=True)):
            yaw = self.georeference.bearing_deg - photo.yaw_deg
            turn = (
                rotation(yaw_deg=yaw)
                @ rotation(roll_deg=photo.pitch_deg)
                @ rotation(pitch_deg=photo.roll_deg)
            )
            side = WEST if pos[0] < middle else EAST
            aligned = number % 6 != 5
            x, y, z = (float(v) for v in pos)
            cluster_id = side.cluster_id if aligned else None
            placed.append(PlacedPhoto(photo, (x, y, z), quaternion(turn), cluster_id))
        return placed


class World:
    """Everything the emulated services show, and more: the truth behind it.

    Parameters
    ----------
    seed : int
        Decides what is made up.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed
        self.brighton = Brighton(seed)

    @cached_property
    def cupix(self) -> CupixTruth:
        """Where to find what in the emulated Cupix service."""
        from cupixgeo.emulator.cupix.ids import CupixTruth

        return CupixTruth()


@lru_cache(maxsize=2)
def world_of(seed: int) -> World:
    """Return the world of a seed; one process makes it once."""
    return World(seed)


@lru_cache(maxsize=1)
def data_folder() -> Path:
    """Return the folder of the scan and its photos."""
    return find_data(Path(str(resources.files("cupixgeo.emulator"))))


def find_data(package: Path) -> Path:
    """Return the scan's folder: below `package` in an installed wheel, in a source tree beside it.

    Parameters
    ----------
    package : pathlib.Path
        Folder of ``cupixgeo.emulator``.
    """
    packaged = package / "data" / "brighton_beach"
    source = package.parents[1] / "data" / "brighton_beach"
    for folder in (packaged, source):
        if (folder / "reference" / "model.laz").is_file():
            return folder
    raise ValueError(
        f"the emulator's scan is neither in {packaged} nor in {source}; reinstall cupixgeo"
    )
