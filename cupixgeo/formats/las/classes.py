"""The names of the LAS classification codes.

Source: ASPRS LAS 1.4 R15, table 17.
"""

from __future__ import annotations

from types import MappingProxyType

CLASS_CODES = MappingProxyType({
    "created, never classified": 0,
    "unclassified": 1,
    "ground": 2,
    "low vegetation": 3,
    "medium vegetation": 4,
    "high vegetation": 5,
    "building": 6,
    "low noise": 7,
    "water": 9,
    "rail": 10,
    "road surface": 11,
    "wire guard": 13,
    "wire conductor": 14,
    "transmission tower": 15,
    "wire connector": 16,
    "bridge deck": 17,
    "high noise": 18,
    "overhead structure": 19,
    "ignored ground": 20,
    "snow": 21,
    "temporal exclusion": 22,
})  # fmt: skip
"""Code of each class the format defines; 64 to 255 are for users to define."""

LARGEST_CLASS = 255
