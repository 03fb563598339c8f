"""The text a LAS file states its CRS with.

LAS 1.4 asks for OGC WKT 1 (LAS 1.4 R15, section 3.4); CRSs WKT 1 cannot express (three-dimensional
geographic ones, for example) are written as WKT 2:2019, which PROJ-based readers understand.
"""

from __future__ import annotations

from pyproj import CRS
from pyproj.exceptions import CRSError

from cupixgeo.geodesy.crs import same_crs


def las_wkt(crs: CRS) -> str:
    """WKT for the CRS record of a LAS file: WKT 1 where nothing is lost, else WKT 2:2019."""
    try:
        wkt = str(crs.to_wkt("WKT1_GDAL"))
        if same_crs(CRS.from_wkt(wkt), crs):
            return wkt
    except CRSError:
        pass
    return str(crs.to_wkt("WKT2_2019"))
