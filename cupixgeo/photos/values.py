"""Single values of photo metadata: numbers, degrees and times as cameras write them.

Knows how EXIF and DJI spell them, and that each may be nonsense: what cannot be read is None.
Must not know which tag a value comes from.

Source: Exif 3.0 (JEITA CP-3451) §4.6 for rationals, date and GPS values.
"""

from __future__ import annotations

import math
import re
from datetime import UTC, date, datetime, timedelta
from typing import Any

_OFFSET = re.compile(r"([+-])(\d{2}):?(\d{2})")


def number(value: Any) -> float | None:
    """Read a finite number; a rational over zero is none."""
    try:
        result = float(value)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return result if math.isfinite(result) else None


def whole(value: Any) -> int | None:
    """Read a whole number, also from one byte."""
    if isinstance(value, bytes):
        return value[0] if len(value) == 1 else None
    result = number(value)
    return None if result is None else round(result)


def text(value: Any) -> str | None:
    """Read a text without the padding cameras add."""
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    if not isinstance(value, str):
        return None
    clean = "".join(letter for letter in value if letter.isprintable()).strip()
    return clean[:200] or None


def degrees(parts: Any, reference: Any) -> float | None:
    """Read EXIF degrees, minutes and seconds.

    Parameters
    ----------
    parts : sequence of 3 rationals
    reference : str or bytes
        ``"S"`` and ``"W"`` make it negative.

    Returns
    -------
    float or None
        [deg], south and west negative.
    """
    if not isinstance(parts, tuple | list) or not 1 <= len(parts) <= 3:
        return None
    values = [number(part) for part in parts]
    total = 0.0
    for power, value in enumerate(values):
        if value is None:
            return None
        total += value / 60**power
    return -total if (text(reference) or "").upper() in {"S", "W"} else total


def exif_time(value: Any, fraction: Any) -> datetime | None:
    """Read ``2016:06:23 16:31:59`` and the digits of its fraction, if any."""
    try:
        time = datetime.strptime(text(value) or "", "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    digits = text(fraction) or ""
    if digits.isascii() and digits.isdigit():
        time += timedelta(microseconds=int(digits[:6].ljust(6, "0")))
    return time


def dji_time(value: str | None) -> datetime | None:
    """Read DJI's ``2025:05:20 02:12:54.019996`` in UTC."""
    whole_seconds, _, fraction = (value or "").partition(".")
    time = exif_time(whole_seconds, fraction)
    return time.replace(tzinfo=UTC) if time else None


def time_with_offset(time: datetime | None, offset: Any) -> datetime | None:
    """Turn the camera's time into UTC by EXIF's ``+08:00``; None where it tells no offset."""
    match = _OFFSET.fullmatch(text(offset) or "")
    if time is None or match is None:
        return None
    sign, hours, minutes = match.groups()
    shift = timedelta(hours=int(hours), minutes=int(minutes))
    try:
        return (time - (shift if sign == "+" else -shift)).replace(tzinfo=UTC)
    except OverflowError:
        return None


def gps_time(day: Any, clock: Any) -> datetime | None:
    """Read EXIF's GPS date ``2016:06:23`` and its hours, minutes and seconds, in UTC."""
    if not isinstance(clock, tuple | list) or len(clock) != 3:
        return None
    hours, minutes, seconds = (number(part) for part in clock)
    if hours is None or minutes is None or seconds is None:
        return None
    try:
        start = date.fromisoformat((text(day) or "").replace(":", "-"))
        midnight = datetime(start.year, start.month, start.day, tzinfo=UTC)
        return midnight + timedelta(hours=hours, minutes=minutes, seconds=seconds)
    except (ValueError, OverflowError):
        return None
