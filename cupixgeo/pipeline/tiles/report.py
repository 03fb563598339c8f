"""What a tiled merge says of itself: a merge report, with a line for each tile."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from cupixgeo.pipeline.report import Bounds, MergeReport, SourceReport


@dataclass(frozen=True)
class TileShare:
    """What one source has given to a tile.

    Parameters
    ----------
    number : int
        Of the source, from 1.
    points : int
        Points in the tile.
    removed : mapping of str to int
        Points left out, by rule.
    bounds : Bounds or None
        Box of its points in the tile, output CRS; None without points.
    quantisation_error_m : float
        Worst rounding of a coordinate [m].
    seconds : float
        Time spent on it [s].
    """

    number: int
    points: int
    removed: Mapping[str, int]
    bounds: Bounds | None
    quantisation_error_m: float
    seconds: float


@dataclass(frozen=True)
class TileReport:
    """One tile of a merge.

    Parameters
    ----------
    name : str
        Of its file.
    column, row : int
        Number of the tile: its south-west corner in multiples of the tile's size.
    points : int
        Points in it. A tile without points has no file.
    points_read : int
        Points decoded to find them.
    bounds : Bounds or None
        Box of its points, output CRS; None without points.
    offsets : tuple of 3 float
        Of its stored integers [CRS units].
    bytes : int
        Size of its file [byte].
    sources : tuple of TileShare
        In the order of the sources.
    gps_time : tuple of 2 float or None
        Earliest and latest GPS time [s], as stored; None where points have none.
    statistics : mapping of str to tuple of 4 float
        Lowest, highest, mean and variance of x, y, z [CRS units] and intensity.
    seconds : float
        Time spent on it [s].
    """

    name: str
    column: int
    row: int
    points: int
    points_read: int
    bounds: Bounds | None
    offsets: tuple[float, float, float]
    bytes: int
    sources: tuple[TileShare, ...]
    gps_time: tuple[float, float] | None
    statistics: Mapping[str, tuple[float, float, float, float]]
    seconds: float

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TileReport:
        """Read one back from its JSON form."""
        found = {name: _frozen(value) for name, value in values.items()}
        shares = (TileShare(**{k: _frozen(v) for k, v in s.items()}) for s in values["sources"])
        found["sources"] = tuple(shares)
        found["statistics"] = {k: tuple(v) for k, v in values["statistics"].items()}
        return cls(**found)


@dataclass(frozen=True)
class TiledReport(MergeReport):
    """What was merged into which tiles, and how well.

    ``path`` is the catalogue, which opens as one cloud; ``bytes_out`` the size of all tiles; each
    tile's offsets are its own.

    Parameters
    ----------
    tile_m : float
        Edge of a tile [m].
    folder : str
        Where they are, or the address of where they are.
    tiles : tuple of TileReport
        Those that have points, west to east and south to north.
    points_read : int
        Points decoded to fill the tiles: a chunk that several tiles touch is read by each.
    """

    tile_m: float = field(kw_only=True)
    folder: str = field(kw_only=True)
    tiles: tuple[TileReport, ...] = field(kw_only=True)
    points_read: int = field(kw_only=True)

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> TiledReport:
        """Read one back from its JSON form."""
        known = {f.name for f in fields(cls)}
        found = {name: _frozen(value) for name, value in values.items() if name in known}
        found["tiles"] = tuple(map(TileReport.from_dict, values["tiles"]))
        found["sources"] = tuple(
            SourceReport(**{name: _frozen(value) for name, value in source.items()})
            for source in values["sources"]
        )
        return cls(**found)

    def __str__(self) -> str:
        first, *rest = super().__str__().split("\n")
        again = self.points_read / max(1, self.points_kept)
        return "\n".join(
            [
                first,
                f"  {len(self.tiles):,} tiles of {self.tile_m:g} m in {self.folder}, each point "
                f"decoded {again:.2f} times",
                *rest,
            ]
        )

    def __repr__(self) -> str:
        return f"<TiledReport {self.path}: {self.points_kept:,} points in {len(self.tiles)} tiles>"


def _frozen(value: Any) -> Any:
    """JSON's lists as tuples, all the way down."""
    return tuple(map(_frozen, value)) if isinstance(value, list) else value
