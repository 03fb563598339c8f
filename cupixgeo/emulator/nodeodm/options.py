"""The options of the engine, and what becomes of those a client sends.

Knows names, types, defaults and ranges as the node lists them, and the order of its checks:
conversion, range, and silence about names it does not know. Help texts are this project's own.

References
----------
NodeODM 2.2.4 ``GET /options`` and its answers to good and bad values; OpenDroneMap 3.5 for names,
defaults and ranges.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

_QUALITY = ("ultra", "high", "medium", "low", "lowest")
_STAGES = (
    "dataset", "split", "merge", "opensfm", "openmvs", "odm_filterpoints", "odm_meshing",
    "mvs_texturing", "odm_georeferencing", "odm_dem", "odm_orthophoto", "odm_report",
    "odm_postprocess",
)  # fmt: skip

_FLAGS = {
    "auto-boundary": "Limit the reconstruction to the area around the cameras",
    "bg-removal": "Mask the background of objects photographed from all sides",
    "build-overviews": "Add overviews to the orthophoto for faster display",
    "cog": "Write rasters as cloud-optimized GeoTIFF",
    "dem-euclidean-map": "Write how far each cell of an elevation model is from a measured one",
    "dsm": "Make a digital surface model: ground and objects",
    "dtm": "Make a digital terrain model: ground only",
    "fast-orthophoto": "Make the orthophoto from the sparse points: no dense cloud, no 3D model",
    "force-gps": "Use the GPS of the photos although there are ground control points",
    "gltf": "Write the textured model as GLB, too",
    "ignore-gsd": "Do not let the estimated ground sampling distance cap resolutions",
    "no-gpu": "Do not use the graphics card",
    "optimize-disk-space": "Delete large intermediate files early",
    "orthophoto-cutline": "Make a polygon that cuts the orthophoto along edges",
    "orthophoto-kmz": "Write the orthophoto as KMZ, too",
    "orthophoto-no-tiled": "Write the orthophoto in strips, not in tiles",
    "orthophoto-png": "Write the orthophoto as PNG, too",
    "pc-classify": "Classify the points of the cloud",
    "pc-copc": "Write the point cloud as COPC, too",
    "pc-csv": "Write the point cloud as CSV, too",
    "pc-ept": "Write the point cloud as Entwine Point Tiles, too",
    "pc-las": "Write the point cloud as LAS, too",
    "pc-rectify": "Correct wrongly classified ground points, and fill gaps of the ground",
    "pc-skip-geometric": "Skip the geometric estimates of the dense cloud",
    "rolling-shutter": "Correct for a rolling shutter",
    "sfm-no-partial": "Do not join partial reconstructions",
    "skip-3dmodel": "Make no textured 3D model",
    "skip-band-alignment": "Trust that multispectral bands are aligned",
    "skip-orthophoto": "Make no orthophoto",
    "skip-report": "Make no report",
    "sky-removal": "Mask the sky",
    "sm-no-align": "Do not align submodels",
    "texturing-keep-unseen-faces": "Keep faces of the mesh that no photo shows",
    "texturing-single-material": "Use one texture for the whole model",
    "texturing-skip-global-seam-leveling": "Do not even out colours across photos",
    "tiles": "Make tiles for web maps",
    "use-3dmesh": "Make the orthophoto from the full 3D mesh",
    "use-exif": "Use the GPS of the photos although there is a ground control file",
    "use-fixed-camera-params": "Do not optimize the camera parameters",
    "use-hybrid-bundle-adjustment": "Adjust locally, and globally every 100 photos",
    "verbose": "Print more",
}
_NUMBERS: tuple[tuple[str, str, str, str, str], ...] = (
    ("auto-boundary-distance", "float", "0", "positive float",
     "Distance [m] from the cameras to that boundary; 0 estimates it"),
    ("crop", "float", "3", "positive float", "Crop outputs by so many metres at the edges"),
    ("dem-decimation", "int", "1", "positive integer", "Use one point in so many for the DEMs"),
    ("dem-gapfill-steps", "int", "3", "positive integer", "Steps in which gaps of DEMs are filled"),
    ("dem-resolution", "float", "5", "float", "Resolution of DSM and DTM [cm/pixel]"),
    ("gps-accuracy", "float", "3", "positive float", "Accuracy [m] of the photos' GPS"),
    ("gps-z-offset", "float", "0", "float", "Added to the GPS height of each photo [m]"),
    ("matcher-neighbors", "int", "0", "positive integer", "Match with so many nearest photos"),
    ("matcher-order", "int", "0", "positive integer", "Match with so many photos by file name"),
    ("max-concurrency", "int", "4", "positive integer", "Most processes at the same time"),
    ("mesh-octree-depth", "int", "11", "integer: 1 <= x <= 14", "Depth of the mesh's octree"),
    ("mesh-size", "int", "200000", "positive integer", "Most vertices of the mesh"),
    ("min-num-features", "int", "10000", "integer", "Fewest features to extract from a photo"),
    ("orthophoto-resolution", "float", "5", "float > 0.0", "Orthophoto resolution [cm/pixel]"),
    ("pc-filter", "float", "5", "positive float", "Remove points so many deviations off; 0: none"),
    ("pc-sample", "float", "0", "positive float", "Keep one point in so many metres; 0: all"),
    ("rolling-shutter-readout", "float", "0", "positive integer", "Readout time [ms]; 0: known"),
    ("smrf-scalar", "float", "1.25", "positive float", "Ground filter: elevation scalar"),
    ("smrf-slope", "float", "0.15", "positive float", "Ground filter: slope, rise over run"),
    ("smrf-threshold", "float", "0.5", "positive float", "Ground filter: threshold [m]"),
    ("smrf-window", "float", "18", "positive float", "Ground filter: window radius [m]"),
    ("split", "int", "999999", "positive integer", "Photos of a submodel, on average"),
    ("split-overlap", "float", "150", "positive integer", "Overlap of submodels [m]"),
    ("video-limit", "int", "500", "positive integer", "Most frames taken from a video"),
    ("video-resolution", "int", "4000", "positive integer", "Longer side of those frames [pixel]"),
)  # fmt: skip
_CHOICES: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("camera-lens", "auto",
     ("auto", "perspective", "brown", "fisheye", "fisheye_opencv", "spherical", "equirectangular",
      "dual"), "Projection of the camera"),
    ("end-with", "odm_postprocess", _STAGES, "Last stage to run"),
    ("feature-quality", "high", _QUALITY, "Quality of the feature extraction"),
    ("feature-type", "dspsift", ("akaze", "dspsift", "hahog", "orb", "sift"), "Kind of features"),
    ("matcher-type", "flann", ("bow", "bruteforce", "flann"), "How features are matched"),
    ("merge", "all", ("all", "pointcloud", "orthophoto", "dem"), "What to merge of submodels"),
    ("orthophoto-compression", "DEFLATE",
     ("JPEG", "LZW", "PACKBITS", "DEFLATE", "LZMA", "NONE"), "Compression of the orthophoto"),
    ("pc-quality", "medium", _QUALITY, "Quality of the point cloud"),
    ("radiometric-calibration", "none", ("none", "camera", "camera+sun"),
     "Radiometric calibration of multispectral photos"),
    ("rerun-from", "", ("", *_STAGES), "Stage to begin with when a task is restarted"),
    ("sfm-algorithm", "incremental", ("incremental", "triangulation", "planar"),
     "Structure-from-motion algorithm"),
)  # fmt: skip
_TEXTS: tuple[tuple[str, str, str, str], ...] = (
    ("boundary", "", "json", "GeoJSON polygon that limits the reconstruction"),
    ("cameras", "", "json", "Camera parameters of an earlier run, as JSON"),
    ("primary-band", "auto", "string", "Band that multispectral photos are aligned by"),
    ("sm-cluster", "None", "string", "Address of a ClusterODM for split-merge"),
)

_ON_OR_OFF = re.compile(r"(positive |negative )?(integer|float)")
_WITHIN = re.compile(r"(float|integer): ([-+.\d]+) <= x <= ([-+.\d]+)")
_BOUND = re.compile(r"(float|integer) (>=|>|<|<=) ([-+.\d]+)")
_NUMBER = re.compile(r"\s*([-+]?(?:\d+\.?\d*(?:[eE][-+]?\d+)?|\.\d+))")
_WHOLE = re.compile(r"\s*([-+]?\d+)")


class OptionsError(ValueError):
    """The options of a request are refused; the text is what the node answers."""


def listed(*, fills_help: bool) -> list[dict[str, Any]]:
    """Return the options as ``GET /options`` lists them: every value is text.

    Parameters
    ----------
    fills_help : bool
        Whether defaults and choices are put into the help, as before version 2.1.2.
    """
    rows: list[tuple[str, str, str, Any, str]] = [
        (name, "bool", "false", "", text) for name, text in _FLAGS.items()
    ]
    rows += [*_NUMBERS]
    rows += [(name, "enum", value, list(names), text) for name, value, names, text in _CHOICES]
    rows += [(name, "string", value, domain, text) for name, value, domain, text in _TEXTS]
    options = []
    for name, kind, value, domain, text in sorted(rows):
        text += ". Can be one of: %(choices)s" if kind == "enum" else ""
        text += ". Default: %(default)s"
        if fills_help:
            choices = ", ".join(domain) if isinstance(domain, list) else domain
            text = text.replace("%(choices)s", choices).replace("%(default)s", value)
        options.append({"name": name, "type": kind, "value": value, "domain": domain, "help": text})
    return options


def checked(sent: str | None, *, max_concurrency: int | None) -> list[dict[str, Any]]:
    """Convert and check what a client sent, in the order of the node's own list.

    Parameters
    ----------
    sent : str or None
        JSON list of objects with ``name`` and ``value``; any other JSON counts as an empty list.
    max_concurrency : int or None
        The node's upper limit, set also where nothing was asked for.

    Returns
    -------
    list of dict
        Known options with converted values. Unknown ones are left out without a word.

    Raises
    ------
    OptionsError
        If the text is no JSON, or a value is refused.
    """
    try:
        asked = json.loads(sent or "[]")
    except ValueError as error:
        raise OptionsError(f"Unexpected token in JSON ({error})") from error
    wanted: dict[str, Any] = {}
    for entry in asked if isinstance(asked, list) else []:
        if isinstance(entry, dict) and isinstance(entry.get("name"), str):
            wanted.setdefault(entry["name"], entry.get("value"))
    result, errors = [], []
    for option in listed(fills_help=False):
        name = option["name"]
        if name in wanted:
            try:
                value = _converted(option, wanted[name])
            except OptionsError as error:
                errors.append({"name": name, "error": str(error)})
                continue
            if name == "max-concurrency" and max_concurrency:
                value = min(value, max_concurrency)
            result.append({"name": name, "value": value})
        elif name == "max-concurrency" and max_concurrency:
            result.append({"name": name, "value": max_concurrency})
    if errors:
        raise OptionsError(json.dumps(errors))
    return result


def with_postprocessing(chosen: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add what the node asks for by itself: point tiles, and rasters for the cloud."""
    names = {option["name"] for option in chosen}
    added = [{"name": name, "value": True} for name in ("pc-ept", "cog") if name not in names]
    return [*chosen, *added]


def _converted(option: dict[str, Any], sent: Any) -> Any:
    """Convert one value and check its range; NaN is what a text without a number becomes."""
    value = _CONVERSIONS[option["type"]](sent)
    domain = option["domain"]
    if isinstance(domain, list):
        if value not in domain:
            raise OptionsError(f"Invalid value {value} (not in enum)")
    elif domain and not _is_within(domain, value):
        raise OptionsError(f"Invalid value {_shown(value)} (out of range)")
    return value


def _is_within(domain: str, value: Any) -> bool:
    if match := _ON_OR_OFF.fullmatch(domain):
        if match[1] is not None:
            return bool(value >= 0 if match[1] == "positive " else value <= 0)
        return bool(value == value and (match[2] == "float" or value == int(value)))
    if match := _WITHIN.fullmatch(domain):
        return bool(float(match[2]) <= value <= float(match[3]))
    if match := _BOUND.fullmatch(domain):
        bound = float(match[3])
        comparisons = {
            ">=": value >= bound, ">": value > bound, "<": value < bound, "<=": value <= bound
        }  # fmt: skip
        return bool(comparisons[match[2]])
    return domain != "json" or _is_json(value)


def _is_json(value: Any) -> bool:
    try:
        json.loads(value)
    except (TypeError, ValueError):
        return False
    return True


def _number(sent: Any) -> float:
    match = _NUMBER.match(_text(sent))
    return float(match[1]) if match else float("nan")


def _whole(sent: Any) -> float:
    match = _WHOLE.match(_text(sent))
    return int(match[1]) if match else float("nan")


def _truth(sent: Any) -> bool:
    if isinstance(sent, bool):
        return sent
    if sent in ("true", "1"):
        return True
    if sent in ("false", "0"):
        return False
    raise OptionsError(f"Cannot convert {_text(sent)} to boolean")


def _text(sent: Any) -> str:
    return sent if isinstance(sent, str) else json.dumps(sent)


def _shown(value: Any) -> str:
    return "NaN" if value != value else str(value)


_CONVERSIONS: dict[str, Callable[[Any], Any]] = {
    "float": _number,
    "int": _whole,
    "bool": _truth,
    "string": lambda sent: sent,
    "enum": lambda sent: sent,
}
