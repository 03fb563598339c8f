"""What the emulated service makes of the text in ``parameter_2d`` and its siblings.

Knows the documented keys with their types and ranges, and the coordinate-system descriptor.
Unknown keys are taken without a word, as the sources say clients must be able to send them.

Sources: the complete 3D object of the reference page; TypeScript types and tutorials of the older
TerraAPI for ranges and the keys of 2D and LiDAR. Decided here: a value of the wrong type or out of
range is refused at the start, and ``map_mode`` of 2D is required, as TerraAPI says.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cupixgeo.emulator.flighthub.refusal import RefusedError, bad_parameter
from cupixgeo.emulator.flighthub.target import Target, UnusableCrsError, target_of

_FLAGS = frozenset({
    "output_mesh", "generate_b3dm", "generate_osgb", "generate_obj", "generate_ply",
    "generate_s3mb", "generate_i3s", "output_pointcloud", "generate_pnts", "generate_las",
    "generate_point_ply", "generate_point_s3mb", "generate_pcd", "output_ply_with_normals",
    "water_refine", "cut_AOI", "stereo_mode", "use_image_position",
    "generate_blocks_exchange_xml", "merge_point", "use_Wallis", "use_Dehaze", "use_gcj02",
    "colorize_point", "lpp_optimise", "smooth_point", "ground_extract", "generate_dem",
})  # fmt: skip
_CHOICES: Mapping[str, tuple[object, ...]] = {
    "quality_level": (1, 2, 3),
    "sfm_feature_quantity_level": (1, 2, 3),
    "SfM_method": ("GLOBAL", "INCREMENTAL"),
    "map_mode": (0, 1, 2),
    "scene_type": (0, 1, 2),
}
_RANGES: Mapping[str, tuple[float, float]] = {
    "model_simplify": (0.05, 1.0),
    "dom_tile_size": (0, 1 << 31),
    "usable_memory_GB": (0, 1 << 31),
}


def check(kind: str, parameter: Mapping[str, Any]) -> Target:
    """Refuse a parameter object the engine could not work with; return where results go."""
    for name, value in parameter.items():
        if name in _FLAGS and not isinstance(value, bool):
            raise bad_parameter(name, "must be a boolean")
        if name in _CHOICES and (isinstance(value, bool) or value not in _CHOICES[name]):
            raise bad_parameter(name, f"must be one of {_CHOICES[name]}")
        if name in _RANGES:
            low, high = _RANGES[name]
            if isinstance(value, bool) or not isinstance(value, int | float):
                raise bad_parameter(name, "must be a number")
            if not low <= value <= high:
                raise bad_parameter(name, f"must be in [{low:g}, {high:g}]")
    if kind == "2d" and "map_mode" not in parameter:
        raise bad_parameter("map_mode", "is required")
    if parameter.get("dom_tile_size", 0) % 2:
        raise bad_parameter("dom_tile_size", "must be even")
    if "sample_distance" in parameter and "quality_level" in parameter:
        raise bad_parameter("sample_distance", "conflicts with quality_level")
    try:
        return target_of(parameter.get("output_geo_desc", {}))
    except UnusableCrsError as error:
        raise RefusedError(error.code, str(error)) from error
