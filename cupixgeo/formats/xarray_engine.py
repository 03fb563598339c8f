"""The xarray backend ``engine="cupixgeo"``: any format of the registry as a dataset.

Must not know any format.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from functools import partial
from typing import Any

import xarray as xr
from xarray.backends import BackendEntrypoint

from cupixgeo.cloud.dataset import to_dataset
from cupixgeo.errors import CloudError
from cupixgeo.formats.registry import can_open, open_reader
from cupixgeo.geodesy.crs import CrsLike, as_crs


class CupixGeoBackend(BackendEntrypoint):
    """Open LAS, LAZ, COPC and PLY files with ``xarray.open_dataset``."""

    description = "Point clouds: LAS, LAZ, COPC and PLY"

    def open_dataset(  # type: ignore[override]
        self,
        filename_or_obj: str | os.PathLike[str],
        *,
        drop_variables: str | Iterable[str] | None = None,
        crs: CrsLike | None = None,
    ) -> xr.Dataset:
        """Open a point-cloud file; nothing is read but its header.

        Parameters
        ----------
        filename_or_obj : path
            The file.
        drop_variables : str or iterable of str
            Attributes to leave out.
        crs : CrsLike or None
            CRS of its coordinates, overriding what the file states.

        Raises
        ------
        CloudError
            The file cannot be read (see `cupixgeo.formats.registry.open_reader`).
        """
        given = None if crs is None else as_crs(crs)
        path = os.path.abspath(os.fspath(filename_or_obj))
        dataset = to_dataset(partial(open_reader, path, crs=given))
        dropped = [drop_variables] if isinstance(drop_variables, str) else drop_variables
        if not dropped:
            return dataset
        result = dataset.drop_vars(list(dropped), errors="ignore")
        result.set_close(dataset._close)
        return result

    def guess_can_open(self, filename_or_obj: Any) -> bool:
        """Say whether the content of a file is of a known format."""
        if not isinstance(filename_or_obj, str | os.PathLike):
            return False
        try:
            return can_open(filename_or_obj)
        except CloudError:
            return False
