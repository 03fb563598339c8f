"""What can be chosen at FlightHub: products, and the algorithm parameters of the kinds they need.

Knows how documented parameters become arguments of a form. Must not know requests.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from cupixgeo.services.flighthub.order import DEFAULT_PRODUCTS, PRODUCTS
from cupixgeo.services.flighthub.parameters import PARAMETERS, Parameter
from cupixgeo.services.flighthub.settings import FlightHubSettings
from cupixgeo.services.offer import Argument, Group, Kind, Offer

TITLES: Mapping[str, str] = {
    "2d": "2D map",
    "3d": "3D model",
    "3dgs": "3D Gaussian splats",
    "lidar": "LiDAR",
}
AREA = "area"
_KINDS: Mapping[str, Kind] = {
    "bool": "bool", "int": "int", "number": "number", "text": "text", "object": "object"
}  # fmt: skip
_SET_BY_CRS = "output_geo_desc"


def offer(products: Sequence[str], settings: FlightHubSettings) -> Offer:
    """Say what can be chosen if these products are wanted.

    Parameters
    ----------
    products : sequence of str
        As in ``account.plan``; names that are none are passed over.
    settings : FlightHubSettings
        For what it says about defaults.
    """
    wanted = [name for name in products if name in PRODUCTS] or list(DEFAULT_PRODUCTS)
    flags: dict[str, dict[str, Any]] = {}
    for name in wanted:
        kind, implied = PRODUCTS[name]
        flags.setdefault(kind, {}).update(implied)
    if "2d" in flags:
        flags["2d"]["map_mode"] = settings.map_mode
    kinds = [kind for kind in TITLES if kind in flags]
    arguments = [
        _argument(parameter, kind, flags[kind])
        for kind in kinds
        for parameter in PARAMETERS[kind]
        if parameter.name != _SET_BY_CRS
    ]
    if "lidar" in kinds:
        arguments.insert(0, Argument("lidar_files", "files", "all files of the LiDAR flight"))
    meaning = "delete what was uploaded when the reconstruction has ended"
    arguments.append(Argument("delete_resource_if_finish", "bool", meaning, False))
    return Offer(
        products=tuple(PRODUCTS),
        usual_products=DEFAULT_PRODUCTS,
        arguments=tuple(arguments),
        groups=tuple(Group(f"parameter_{kind}", TITLES[kind]) for kind in kinds),
        takes_crs=True,
        area=AREA if {"2d", "3d"} & set(kinds) else "",
    )


def _argument(parameter: Parameter, kind: str, implied: Mapping[str, Any]) -> Argument:
    default = parameter.default if parameter.is_sent else None
    return Argument(
        parameter.name,
        _KINDS[parameter.type],
        parameter.meaning,
        implied.get(parameter.name, default),
        parameter.choices,
        parameter.labels,
        parameter.low,
        parameter.high,
        parameter.unit,
        f"parameter_{kind}",
        parameter.needs,
    )
