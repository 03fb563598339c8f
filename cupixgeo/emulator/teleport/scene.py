"""The scene every finished capture shows: splats and cameras made of the real scan and its photos.

Knows the frame of the models: x right, y down, z forward, a scale of its own, as COLMAP leaves it.
The ground truth is `Scene.truth`, from the scan's map coordinates to that frame. Cameras look
straight down with the photo's heading; their small tilts are left out.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

from cupixgeo.emulator.frames import Array, rotation
from cupixgeo.emulator.sogs import write_sogs
from cupixgeo.emulator.splats import Splats, splats_of, write_splat_ply

if TYPE_CHECKING:
    from cupixgeo.emulator.world import Brighton

CELLS_M = {"hd": 0.5, "sd": 1.0, "root": 2.5}
"""[m] width of the cubes of points that become one splat, by level."""

_UTM = "+proj=utm +zone=15 +ellps=WGS84"
_TO_Y_DOWN = np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]])


@dataclass(frozen=True)
class Variant:
    """One of the files a scene is offered as.

    Parameters
    ----------
    profile : str
        ``"ply"`` or ``"sogs-sh0"``.
    level : str
        Key of `CELLS_M`.
    half : int or None
        0 left, 1 right of the middle; None is all.
    is_cropped : bool
        Whether the outer parts are left away.
    """

    profile: str
    level: str = "hd"
    half: int | None = None
    is_cropped: bool = False

    @property
    def file_name(self) -> str:
        """Name of the file."""
        parts = [
            "recorded", self.level, *([] if self.half is None else [f"half{self.half}"]),
            *(["autocrop"] if self.is_cropped else []),
        ]  # fmt: skip
        return "-".join(parts) + (".ply" if self.profile == "ply" else ".zip")


class Scene:
    """Splats and cameras of the real scan in the models' frame.

    Parameters
    ----------
    site : Brighton
        Scan and photos.
    """

    def __init__(self, site: Brighton) -> None:
        self._site = site
        self._lock = threading.RLock()
        self._files: dict[Variant, bytes] = {}
        rng = np.random.default_rng((site.seed, 0x7E1E))
        turn = _TO_Y_DOWN @ rotation(yaw_deg=float(rng.uniform(-180, 180)))
        self._turn = turn * float(rng.uniform(0.1, 0.3))

    def splats(self, variant: Variant) -> Splats:
        """Return the splats of a variant, in the models' frame."""
        with self._lock:
            splats = self._levels[variant.level]
        x, z = splats.centres[:, 0], splats.centres[:, 2]
        chosen = np.ones(len(splats), bool)
        if variant.half is not None:
            chosen &= (x >= np.median(x)) == bool(variant.half)
        if variant.is_cropped:
            chosen &= (np.abs(x) < 0.6 * np.abs(x).max()) & (np.abs(z) < 0.6 * np.abs(z).max())
        return splats.take(chosen)

    def file(self, variant: Variant) -> bytes:
        """Return the file of a variant, made once."""
        with self._lock:
            if variant not in self._files:
                splats = self.splats(variant)
                is_ply = variant.profile == "ply"
                self._files[variant] = write_splat_ply(splats) if is_ply else write_sogs(splats)
            return self._files[variant]

    def box(self, variant: Variant) -> dict[str, list[float]]:
        """Return lowest and highest coordinates of a variant's centres."""
        centres = self.splats(replace(variant, profile="ply")).centres
        return {"min": centres.min(axis=0).tolist(), "max": centres.max(axis=0).tolist()}

    @cached_property
    def cameras(self) -> list[tuple[str, Array]]:
        """Photo names and poses (4, 4): camera (x right, y down, z forward) to the scene."""
        with self._lock:
            matrix = self._placed
        scale = float(np.cbrt(np.linalg.det(matrix[:3, :3])))
        poses = []
        for placed in self._site.photos:
            photo = placed.photo
            heading = np.radians(photo.yaw_deg)
            up = np.array([np.sin(heading), np.cos(heading), 0.0])
            right = np.array([np.cos(heading), -np.sin(heading), 0.0])
            turn = np.column_stack([right, -up, [0, 0, -1.0]])
            pose = np.eye(4)
            pose[:3, :3] = matrix[:3, :3] / scale @ turn
            where = _map_position(photo.lon_deg, photo.lat_deg, photo.alt_m)
            pose[:3, 3] = matrix[:3, :3] @ where + matrix[:3, 3]
            poses.append((photo.path.name, pose))
        return poses

    @property
    def truth(self) -> Array:
        """Matrix (4, 4) from EPSG:32615 [m] to the models' frame, its origin amid the scan."""
        with self._lock:
            return self._placed

    @cached_property
    def _placed(self) -> Array:
        middle = self._site.original_xyz.mean(axis=0)
        matrix = np.eye(4)
        matrix[:3, :3] = self._turn
        matrix[:3, 3] = -self._turn @ middle
        return matrix

    @cached_property
    def _levels(self) -> dict[str, Splats]:
        site = self._site
        names = ("red", "green", "blue")
        rgb = np.column_stack([site.attribute(name) for name in names]) / 255.0
        middle = site.original_xyz.mean(axis=0)
        near = np.eye(4)  # coordinates are small before they are turned, so that none is lost
        near[:3, :3] = self._turn
        return {
            level: splats_of(site.original_xyz - middle, rgb, cell_m=cell).moved(near)
            for level, cell in CELLS_M.items()
        }


@lru_cache(maxsize=2)
def scene_of(site: Brighton) -> Scene:
    """Return the scene of a site; one process makes it once."""
    return Scene(site)


def _map_position(lon_deg: float, lat_deg: float, alt_m: float) -> Array:
    from pyproj import Transformer

    steps = f"+proj=pipeline +step +proj=unitconvert +xy_in=deg +xy_out=rad +step {_UTM}"
    easting, northing = Transformer.from_pipeline(steps).transform(lon_deg, lat_deg)
    return np.array([easting, northing, alt_m])
