"""Projects as they are listed, and the models on a project's map ("Model Management").

Knows map models: one is there from the start, others come from a flight task's media folder. Knows
nothing of open modeling. Decided here: the media folder of the demo project has the number
`MEDIA_FOLDER`, and a model that was ordered is listed `Rules.run_s` later.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cupixgeo.emulator.flighthub.archive import archive_of_map
from cupixgeo.emulator.flighthub.organization import Directory, Project, User
from cupixgeo.emulator.flighthub.refusal import bad_parameter, not_found
from cupixgeo.emulator.flighthub.rules import Rules
from cupixgeo.emulator.stage import Stage
from cupixgeo.emulator.wire import is_number

MEDIA_FOLDER = 4711
FIRST_ID = 100_001
TYPES = ("model_2d", "model_3d")
FORMATS = ("b3dm", "osgb", "ply", "obj", "pnts", "las", "point_ply", "normal_point_ply")
_PAGE_SIZE = 10


def project_page(
    projects: Sequence[Project], user: User, query: Mapping[str, str]
) -> list[Project]:
    """Return the projects a query asks for."""
    found = [p for p in projects if query.get("q", "").lower() in p.name.lower()]
    if query.get("prj_authorized_status") == "project-status-authorized":
        found = [p for p in found if user.user_id in p.users]
    column = query.get("sort_column", "created_at").replace("create_time", "created_at")
    if column not in ("created_at", "name"):
        raise bad_parameter("sort_column", "must be created_at or name")
    order = query.get("sort_type", "ASC")
    if order not in ("ASC", "DESC"):
        raise bad_parameter("sort_type", "must be ASC or DESC")
    found.sort(key=lambda p: (p.created_at, p.name) if column == "created_at" else (0, p.name))
    if order == "DESC":
        found.reverse()
    if query.get("usage") == "simple":
        return found
    page, size = _number(query, "page", 1), _number(query, "page_size", _PAGE_SIZE)
    return found[(page - 1) * size : page * size]


@dataclass(frozen=True)
class MapModel:
    """A model on the map of one project."""

    id: int
    project_uuid: str
    name: str
    file_type: str
    listed_at: float
    created_at: float
    parameter: Mapping[str, Any]


class Maps:
    """The map models of all projects."""

    def __init__(self, stage: Stage, rules: Rules) -> None:
        self._stage = stage
        self._rules = rules
        self._serials = itertools.count(FIRST_ID)
        self._lock = threading.Lock()
        demo = Directory(stage.seed).projects[0]
        made = float(demo.created_at)
        parameter = {"output_pointcloud": True, "generate_las": True}
        self._models = [
            MapModel(
                next(self._serials), demo.uuid, "Shore survey", "model_3d", made, made, parameter
            )
        ]

    def rows(self, project: str) -> list[dict[str, Any]]:
        """Return the list of a project."""
        return [self._row(model) for model in self._listed(project)]

    def details(self, project: str, text: str) -> dict[str, Any]:
        """Return one model with its links."""
        model = self._find(project, int(text)) if is_number(text) else None
        if model is None:
            raise not_found("model")
        link = self.link(project, model.id)
        return {**self._row(model), "user_name": "Emulated User", "url": link, "preview_url": link}

    def link(self, project: str, number: int) -> str:
        """Return a signed link to a map model's archive, empty where there is no such model."""
        model = self._find(project, number)
        if model is None:
            return ""
        return self._stage.storage.link(
            archive_of_map(model.id, model.file_type, model.parameter, self._stage, self._rules)
        )

    def create(self, project: str, form: Mapping[str, Any]) -> int:
        """Order a model of a media folder; return its number."""
        name = form.get("name")
        if not isinstance(name, str) or not name:
            raise bad_parameter("name", "is required")
        kinds, formats = form.get("reconstruction_type"), form.get("generate_model_formats", [])
        if not isinstance(kinds, list) or not kinds or not set(kinds) <= set(TYPES):
            raise bad_parameter("reconstruction_type", f"must hold some of {TYPES}")
        if not isinstance(formats, list) or not set(formats) <= set(FORMATS):
            raise bad_parameter("generate_model_formats", f"must hold some of {FORMATS}")
        if form.get("quality_level", "medium") not in ("high", "medium", "low"):
            raise bad_parameter("quality_level", "must be high, medium or low")
        if form.get("reconstruction_mode", "normal") not in ("normal", "surround"):
            raise bad_parameter("reconstruction_mode", "must be normal or surround")
        factor = form.get("simplified_factor", 0.2)
        if not isinstance(factor, int | float) or not 0 < factor <= 1:
            raise bad_parameter("simplified_factor", "must be in (0, 1]")
        if len(form.get("predefine_area", {}).get("polygon_points", [0, 0, 0])) < 3:
            raise bad_parameter("predefine_area", "needs at least 3 points")
        if form.get("task_folder_id") != MEDIA_FOLDER:
            raise not_found("media folder")
        now = self._stage.clock.now()
        parameter = {"output_mesh": True, "output_pointcloud": True}
        parameter |= {_flag(item): True for item in (*formats, "b3dm", "pnts")}
        with self._lock:
            made = [
                MapModel(
                    next(self._serials),
                    project,
                    name,
                    kind,
                    now + self._rules.run_s,
                    now,
                    parameter,
                )
                for kind in kinds
            ]
            self._models += made
        return made[0].id

    def _listed(self, project: str) -> list[MapModel]:
        now = self._stage.clock.now()
        with self._lock:
            return [m for m in self._models if m.project_uuid == project and m.listed_at <= now]

    def _find(self, project: str, number: int) -> MapModel | None:
        return next((m for m in self._listed(project) if m.id == number), None)

    def _row(self, model: MapModel) -> dict[str, Any]:
        stored = archive_of_map(
            model.id, model.file_type, model.parameter, self._stage, self._rules
        )
        return {
            "id": model.id,
            "name": model.name,
            "file_type": model.file_type,
            "show_on_map": True,
            "size": len(stored.content),
            "create_at": int(model.created_at * 1000),
            "update_at": int(model.listed_at * 1000),
        }


def _flag(name: str) -> str:
    return "output_ply_with_normals" if name == "normal_point_ply" else f"generate_{name}"


def _number(query: Mapping[str, str], name: str, default: int) -> int:
    text = query.get(name, str(default))
    if not is_number(text) or int(text) < 1:
        raise bad_parameter(name, "must be a number from 1")
    return int(text)
