"""The tables of a FlightHub account: their columns, types, units and meanings.

Knows what the service calls things. Sources: flighthub2-cli 0.1.2, ``models.py``; aerosight's v2.0
fixtures.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cupixgeo.services.tables import ANY, INTEGER, NUMBER, TEXT, TIME, TRUTH, Column, TableSchema

_CENTER = "project_work_center_point"

PROJECTS = TableSchema(
    "projects",
    (
        Column("uuid", TEXT, meaning="id, for project="),
        Column("name", TEXT, meaning="name"),
        Column("introduction", TEXT, meaning="description"),
        Column("org_uuid", TEXT, meaning="organization"),
        Column("created_at", TIME, meaning="when it was made"),
        Column("updated_at", TIME, meaning="when it was last changed"),
        Column("latitude", NUMBER, "deg", "of its work centre, WGS 84", (_CENTER, "latitude")),
        Column("longitude", NUMBER, "deg", "of its work centre, WGS 84", (_CENTER, "longitude")),
    ),
)
MODELS = TableSchema(
    "models",
    (
        Column("model_uuid", TEXT, meaning="id"),
        Column("resource_uuid", TEXT, meaning="the files it is made of"),
        Column("kind", TEXT, meaning="2d, 3d, 3dgs or lidar"),
        Column("state", TEXT, meaning="in the words of all services"),
        Column("model_type", INTEGER, meaning="the kind as a number"),
        Column("model_status", INTEGER, meaning="the service's own number"),
        Column("reconstruction_progress", INTEGER, "%", "share that is computed"),
        Column("model_size", INTEGER, "byte", "size, 0 until it is known"),
        Column("error_code", INTEGER, meaning="0 where there is none"),
        Column("zip_status", INTEGER, meaning="0 not packed, 1 packing, 2 packed, 3 failed"),
        Column("zip_progress", INTEGER, "%", "share that is packed"),
        Column("zip_file_key", TEXT, meaning="where the archive is in the storage"),
    ),
)
RESOURCES = TableSchema(
    "resources",
    (
        Column("resource_uuid", TEXT, meaning="id"),
        Column("status", INTEGER, meaning="1 imported, 2 waiting to be deleted, 3 deleted"),
        Column("resource_size", INTEGER, "byte", "size of its files"),
        Column("file_names", ANY, meaning="names of its files, as a list"),
    ),
)
MAP_MODELS = TableSchema(
    "map_models",
    (
        Column("id", INTEGER, meaning="id"),
        Column("name", TEXT, meaning="name"),
        Column("file_type", TEXT, meaning="model_2d or model_3d"),
        Column("show_on_map", TRUTH, meaning="whether the map shows it"),
        Column("size", INTEGER, "byte", "size"),
        Column("create_at", TIME, meaning="when it was made"),
        Column("update_at", TIME, meaning="when it was last changed"),
    ),
)


def with_times(row: Mapping[str, Any], *names: str, per_second: int = 1) -> dict[str, Any]:
    """Give a row whose POSIX times (`per_second` units a second) are ISO 8601 texts in UTC."""
    changed = dict(row)
    for name in names:
        value = row.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            changed[name] = datetime.fromtimestamp(value / per_second, tz=UTC).isoformat()
    return changed
