"""Lengths, areas, accuracies and sizes in words, for reports and maps."""

from __future__ import annotations

import math


def accuracy(accuracy_m: float | None) -> str:
    """Say how good PROJ states an operation to be.

    Parameters
    ----------
    accuracy_m : float or None
        [m]; 0 is a conversion by definition, None is not stated.
    """
    if accuracy_m is None:
        return "not stated by PROJ"
    return "exact (a pure conversion)" if accuracy_m == 0 else f"{accuracy_m:g} m"


def millimetres(error_m: float) -> str:
    """Write a small error [m] in millimetres."""
    value = error_m * 1e3
    if value < 1e-3:
        return "0 mm" if value == 0 else "under 0.001 mm"
    return f"{value:.2g} mm" if value < 10 else f"{value:,.0f} mm"


def length(length_m: float) -> str:
    """Write a length [m] in the unit that suits it."""
    if length_m >= 1000:
        return f"{length_m / 1000:.3g} km"
    if length_m >= 1:
        return f"{length_m:.3g} m"
    return f"{length_m * 100:.3g} cm" if length_m >= 0.01 else f"{length_m * 1000:.3g} mm"


def area(area_m2: float) -> str:
    """Write an area [m²] in the unit that suits it."""
    if area_m2 >= 1e6:
        return f"{area_m2 / 1e6:,.3g} km²"
    if area_m2 >= 1e5:
        return f"{area_m2 / 1e4:,.3g} ha"
    places = max(0, 3 - math.ceil(math.log10(max(area_m2, 1e-9))))
    return f"{area_m2:,.{min(places, 4)}f} m²"


def size(size_bytes: int) -> str:
    """Write a file size [byte] in the unit that suits it."""
    for unit, value in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if size_bytes >= value:
            return f"{size_bytes / value:.3g} {unit}"
    return f"{size_bytes} bytes"
