"""GeoTIFF keys as LAS files carry them: three records that together state a CRS by codes.

Knows the key directory. Must not know which key deserves belief.

Source: OGC GeoTIFF 1.1 (19-008r4), section 7.1; ASPRS LAS 1.4 R15, section 3.3.
"""

from __future__ import annotations

import struct

MODEL_TYPE = 1024
CITATION = 1026
GEODETIC_CRS = 2048
GEODETIC_CITATION = 2049
PROJECTED_CRS = 3072
PROJECTED_CITATION = 3073
LINEAR_UNIT = 3076
VERTICAL_CRS = 4096
VERTICAL_UNIT = 4099

MODEL_PROJECTED, MODEL_GEOGRAPHIC, MODEL_GEOCENTRIC = 1, 2, 3
USER_DEFINED = 32767
CODES = range(1024, 32767)
"""Key values that are EPSG codes; 0 is undefined, 32767 user-defined."""

_DOUBLES, _ASCII = 34736, 34737

GeoKeys = dict[int, int | float | str]


def read_geokeys(directory: bytes, doubles: bytes, text: bytes) -> GeoKeys:
    """Read the GeoTIFF keys of a LAS file.

    Parameters
    ----------
    directory, doubles, text : bytes
        Data of the records 34735, 34736 and 34737; the last two may be empty.

    Returns
    -------
    dict
        Key id to value. Keys that point outside their record are left out; a directory that
        is cut short yields the keys that are there.
    """
    keys: GeoKeys = {}
    for at in range(8, len(directory) - 7, 8):
        key, place, count, value = struct.unpack_from("<4H", directory, at)
        if place == 0 and key:
            keys[key] = value
        elif place == _DOUBLES and 8 * (value + 1) <= len(doubles):
            (keys[key],) = struct.unpack_from("<d", doubles, 8 * value)
        elif place == _ASCII and value + count <= len(text):
            raw = text[value : value + count].split(b"\0", 1)[0]
            keys[key] = raw.decode("latin-1").rstrip("| ")
    announced = struct.unpack_from("<H", directory, 6)[0] if len(directory) >= 8 else 0
    return dict(list(keys.items())[:announced])
