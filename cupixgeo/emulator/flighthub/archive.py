"""The zip a finished task delivers: which products, under which names.

Knows the folders of the desktop program (``map/``, ``models/pc/0/``, ``lidars/``) and which flag of
the request stands for which file. Says in every archive that it was recorded.

Source: project folders of DJI Terra as public readers of them describe. Nobody has described the
inside of a FlightHub archive: `Rules.layout` offers other arrangements of the same files.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from pathlib import PurePosixPath
from typing import Any

from cupixgeo.emulator.flighthub import clouds, maps_2d, meshes, reports
from cupixgeo.emulator.flighthub.rules import Rules
from cupixgeo.emulator.flighthub.scene import Scene, cached_scene
from cupixgeo.emulator.flighthub.tasks import Task
from cupixgeo.emulator.stage import Stage
from cupixgeo.emulator.storage import StoredObject

_STORED = frozenset({".jpg", ".tif", ".png"})
_SETS = 8
_DECOY = b"<ModelMetadata><SRS>EPSG:4978</SRS><SRSOrigin>1,2,3</SRSOrigin></ModelMetadata>"


@dataclass(frozen=True)
class Recipe:
    """All that decides the bytes of an archive."""

    kind: str
    parameter: str
    seed: int
    every_nth: int
    layout: str
    hidden_decoy: bool


def archive_of(task: Task, stage: Stage, rules: Rules) -> StoredObject:
    """Return the archive of a task; its bytes are made when somebody reads them."""
    home = f"fh/organizations/{task.org_uuid}/open_reconstruction/models"
    recipe = _recipe(task.kind, task.parameter, stage, rules)
    name = f"{task.uuid}.zip"
    return StoredObject(
        f"{home}/{task.uuid}/{name}", name, "application/zip", partial(_archive, recipe)
    )


def archive_of_map(
    number: int, file_type: str, parameter: Mapping[str, Any], stage: Stage, rules: Rules
) -> StoredObject:
    """Return the archive of a model on a project's map."""
    recipe = _recipe(file_type.removeprefix("model_"), parameter, stage, rules)
    name = f"{number}.zip"
    return StoredObject(f"fh/models/{name}", name, "application/zip", partial(_archive, recipe))


def _recipe(kind: str, parameter: Mapping[str, Any], stage: Stage, rules: Rules) -> Recipe:
    text = json.dumps(dict(parameter), sort_keys=True)
    every_nth, layout = rules.every_nth_point, rules.layout
    return Recipe(kind, text, stage.seed, every_nth, layout, rules.hidden_decoy)


@lru_cache(maxsize=_SETS)
def _archive(recipe: Recipe) -> bytes:
    parameter: dict[str, Any] = json.loads(recipe.parameter)
    descriptor = json.dumps(parameter.get("output_geo_desc", {}), sort_keys=True)
    scene = cached_scene(descriptor, seed=recipe.seed, every_nth=recipe.every_nth)
    target = io.BytesIO()
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in _members(recipe, parameter, scene):
            info = zipfile.ZipInfo(_placed(name, recipe.layout), (2024, 5, 13, 8, 0, 0))
            is_packed = PurePosixPath(name).suffix.lower() in _STORED
            info.compress_type = zipfile.ZIP_STORED if is_packed else zipfile.ZIP_DEFLATED
            info.external_attr = 0o644 << 16
            archive.writestr(info, content)
    return target.getvalue()


def _members(
    recipe: Recipe, parameter: Mapping[str, Any], scene: Scene
) -> Iterator[tuple[str, bytes]]:
    """Yield name and content of every file, as the flags of the request say."""
    kind = recipe.kind
    asked = {name for name, value in parameter.items() if value is True}
    yield "RECORDED.txt", reports.label(kind, asked, recipe.every_nth)
    yield "AT/sfm_geo_desc.json", reports.sfm_descriptor(scene)
    if kind == "3dgs":
        yield from clouds.splat_members(scene)
        return
    if kind == "2d":
        yield from maps_2d.members(scene)
    home = "lidars" if kind == "lidar" else "models/pc/0"
    if kind == "lidar" or "output_pointcloud" in asked:
        yield from clouds.members(scene, home, asked, is_lidar=kind == "lidar")
    if kind == "lidar" and "generate_dem" in asked:
        yield f"{home}/terra_dem/dem.tif", maps_2d.surface_model(scene)
    if kind == "3d" and "output_mesh" in asked:
        yield from meshes.members(scene, home, asked)
    if kind != "2d":
        yield f"{home}/report/model_report.json", reports.model_report(scene, parameter)
        yield f"{home}/SDK_Log.txt", reports.log(scene, kind)
    if recipe.hidden_decoy:
        yield f"{home}/.temp/terra_obj/metadata.xml", _DECOY


def _placed(name: str, layout: str) -> str:
    if layout == "nested":
        return f"result/{name}"
    if layout == "flat":
        *folders, file = name.split("/")
        kept = [f for f in folders if f.startswith((".", "terra_", "Block", "LOD"))]
        return "/".join((*kept, file))
    return name
