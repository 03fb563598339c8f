"""The recorded scan in the coordinates a task asks for: points, relief and mesh.

Knows the world's scan and one `Target`. Knows no file format. Nothing here is computed from
uploaded photos.
"""

from __future__ import annotations

from functools import cached_property, lru_cache

import numpy as np
from numpy.typing import NDArray

from cupixgeo.emulator.flighthub.target import Target
from cupixgeo.emulator.frames import Array
from cupixgeo.emulator.relief import Relief
from cupixgeo.emulator.tiles3d import Mesh, enu_to_earth
from cupixgeo.emulator.world import world_of

ORTHO_CELLS = 400
"""Cells of the surface along its longer side."""


class Scene:
    """The scan in one target.

    Parameters
    ----------
    target : Target
        Coordinates asked for.
    seed : int
        Seed of the world.
    every_nth : int
        Points that are passed over are all but every so manieth.
    """

    def __init__(self, target: Target, *, seed: int, every_nth: int) -> None:
        self.target = target
        self._site = world_of(seed).brighton
        self._step = every_nth

    @cached_property
    def xyz(self) -> Array:
        """Points (n, 3), float64, in the target."""
        return self.target.from_scan(self._site.original_xyz[:: self._step])

    @cached_property
    def rgb16(self) -> NDArray[np.uint16]:
        """Colours (n, 3) as in the scan, 16 bits."""
        columns = [self._site.attribute(name) for name in ("red", "green", "blue")]
        return np.column_stack(columns)[:: self._step].astype(np.uint16)

    @cached_property
    def rgb(self) -> NDArray[np.uint8]:
        """Colours (n, 3), 8 bits."""
        wide = self.rgb16.max() > 255
        return (self.rgb16 >> 8 if wide else self.rgb16).astype(np.uint8)

    @cached_property
    def origin(self) -> Array:
        """Origin (3,) that meshes are written from: SRSOrigin."""
        x, y, z = self.xyz.mean(axis=0)
        if self.target.is_geographic:
            return np.array([round(x, 6), round(y, 6), round(z, 3)])
        return np.array([round(x, 3), round(y, 3), round(z, 3)])

    @property
    def is_placed(self) -> bool:
        """Whether the target has a place on the earth."""
        return self.target.crs is not None or self.target.enu is not None

    @cached_property
    def origin_wgs84(self) -> Array:
        """The origin as longitude, latitude [deg] and ellipsoidal height [m]."""
        return np.asarray(self.target.to_wgs84(self.origin[None])[0])

    @cached_property
    def earth(self) -> Array:
        """Matrix (4, 4) from east-north-up metres at the origin to geocentric coordinates."""
        lon, lat, height = self.origin_wgs84
        return enu_to_earth(lon, lat, height)

    def enu(self, xyz: Array) -> Array:
        """Convert points (n, 3) of the target to east-north-up metres at the origin."""
        from pyproj import Transformer

        lon_lat_h = self.target.to_wgs84(xyz)
        geocentric = Transformer.from_crs(4979, 4978, always_xy=True)
        earth = np.stack(geocentric.transform(*lon_lat_h.T), axis=-1)
        return np.asarray((earth - self.earth[:3, 3]) @ self.earth[:3, :3])

    @cached_property
    def surface(self) -> Relief:
        """The scan seen from above."""
        low, high = self.xyz[:, :2].min(axis=0), self.xyz[:, :2].max(axis=0)
        return Relief.from_points(self.xyz, self.rgb, cell=float((high - low).max() / ORTHO_CELLS))

    @cached_property
    def mesh(self) -> Mesh:
        """A coarse mesh of the surface, vertices in the target's axes from the origin."""
        return self.surface.mesh(self.origin)


@lru_cache(maxsize=4)
def cached_scene(descriptor: str, *, seed: int, every_nth: int) -> Scene:
    """Return the scene for a descriptor in JSON; one process makes it once."""
    import json

    from cupixgeo.emulator.flighthub.target import target_of

    return Scene(target_of(json.loads(descriptor)), seed=seed, every_nth=every_nth)
