"""What a user asks of a job, checked and written as JSON; and what a launch would send.

Knows the parameters that are this client's and not the node's options: files beside the photos, and
how the task is handled. Must not ask anybody.

Sources: NodeODM's API document, *POST /task/new/init* and *.../upload/{uuid}* (names of the files);
OpenDroneMap opendm/boundary.py (one polygon, longitude and latitude, as GeoJSON text).
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from cupixgeo.errors import ArgumentError, CloudError
from cupixgeo.formats.polygon import read_polygons
from cupixgeo.net.secret import redact
from cupixgeo.services.job_values import Attachment, Intent, JobRequest, Json, PlannedRequest
from cupixgeo.services.nodeodm.parameters import PRODUCTS, NodeOption, arguments_of, choose
from cupixgeo.services.offer import Argument, Offer

_FILES = {"gcp": "gcp_list.txt", "geo": "geo.txt", "image_groups": "image_groups.txt"}
_ALIGNMENTS = (".las", ".laz", ".tif")
_AREA = "boundary"
_USUAL = ("pointcloud", "mesh", "orthophoto", "report")
_OWN = (
    Argument("gcp", "file", "ground control points, as gcp_list.txt"),
    Argument("geo", "file", "positions of the photos, as geo.txt"),
    Argument("image_groups", "file", "which photo belongs to which submodel"),
    Argument("align", "file", "LAS, LAZ or TIF that the result is aligned with"),
    Argument("skip_post_processing", "bool", "make no tiles of the results", False),
    Argument("outputs", "texts", "files and folders of the task that are kept; empty for all"),
    Argument("webhook", "text", "address that is called when the task ends"),
)


def offer(options: Sequence[NodeOption], products: Sequence[str]) -> Offer:
    """Say what can be chosen: the node's own options, then what is this client's."""
    node = [item for item in arguments_of(options, products) if item.name != _AREA]
    takes_area = any(option.parameter == _AREA for option in options)
    return Offer(
        products=PRODUCTS,
        usual_products=_USUAL,
        arguments=(*node, *_OWN),
        area=_AREA if takes_area else "",
    )


def read_request(request: JobRequest, options: Sequence[NodeOption]) -> dict[str, Json]:
    """Check a request against the node's options.

    Raises
    ------
    ArgumentError
        If something in it makes no sense here.
    """
    if request.crs is not None:
        raise ArgumentError(
            "a NodeODM node chooses the CRS itself: the UTM zone of the photos, or the CRS of "
            "gcp= or geo=. Leave crs= away, and reproject what it made with .cloud.to_crs(...)."
        )
    asked = dict(request.parameters)
    given = {name: asked.pop(name, None) for name in (*_FILES, "align")}
    files = {name: _path(name, value) for name, value in given.items() if value is not None}
    if "align" in files and Path(files["align"]).suffix.lower() not in _ALIGNMENTS:
        raise ArgumentError(f"align={files['align']} is no LAS, LAZ or TIF.")
    skips = asked.pop("skip_post_processing", False)
    if not isinstance(skips, bool):
        raise ArgumentError(f"skip_post_processing={skips!r} is not True or False.")
    if isinstance(asked.get(_AREA), Mapping) or hasattr(asked.get(_AREA), "__geo_interface__"):
        asked[_AREA] = _boundary(asked[_AREA])
    return {
        "files": files,
        "skip_post_processing": skips,
        "webhook": _webhook(asked.pop("webhook", "")),
        "outputs": _outputs(asked.pop("outputs", ())),
        "options": choose(options, asked, request.products),
    }


def attachments_of(parameters: Mapping[str, Json]) -> Iterator[Attachment]:
    """Give the files beside the photos, under the names the node looks for."""
    for role, path in parameters["files"].items():
        name = _FILES.get(role) or f"align{Path(path).suffix.lower()}"
        yield Attachment(Path(path), role, name)


def planned_requests(intent: Intent, form: Mapping[str, str]) -> tuple[PlannedRequest, ...]:
    """List what a launch would send, in order.

    Parameters
    ----------
    intent : Intent
        The job.
    form : mapping
        The form that announces it.
    """
    return (
        PlannedRequest(
            "POST", "task/new/init", {"set-uuid": "{uuid}", **form}, 1, "announce the task"
        ),
        PlannedRequest(
            "POST", "task/new/upload/{uuid}", None, len(intent.files), "send a file each"
        ),
        PlannedRequest("POST", "task/new/commit/{uuid}", None, 1, "start the task"),
        PlannedRequest("GET", "task/{uuid}/info", None, 1, "look how it is, every 3 to 30 s"),
        PlannedRequest("GET", "task/{uuid}/download/all.zip", None, 1, "fetch the results"),
    )


def _boundary(area: Any) -> str:
    """Write a polygon as the engine reads it: a feature collection with one polygon."""
    try:
        polygons = read_polygons(area)
    except CloudError as error:
        raise ArgumentError(f"boundary= is no area: {error}") from error
    if len(polygons) != 1:
        raise ArgumentError(f"boundary= has {len(polygons)} polygons, and the engine takes one.")
    rings = [[*ring.tolist(), ring[0].tolist()] for ring in polygons[0]]
    shape = {"type": "Polygon", "coordinates": rings}
    feature = {"type": "Feature", "properties": {}, "geometry": shape}
    return json.dumps({"type": "FeatureCollection", "features": [feature]})


def _path(name: str, value: Any) -> str:
    try:
        path = Path(value).expanduser().absolute()
    except TypeError:
        path = None
    if path is None or not path.is_file():
        raise ArgumentError(f"{name}={value!r} is no file.")
    return str(path)


def _webhook(value: Any) -> str:
    if not isinstance(value, str) or redact(value) != value:
        raise ArgumentError(
            "webhook= is an address without a query and a user name: it is written down with the "
            "job, so nothing secret can be in it."
        )
    return value


def _outputs(value: Any) -> list[str]:
    if isinstance(value, str) or not all(isinstance(path, str) for path in value):
        raise ArgumentError(
            f"outputs={value!r} is no list of paths in the task's folder, like "
            "['odm_orthophoto', 'odm_dem/dsm.tif']."
        )
    return list(value)
