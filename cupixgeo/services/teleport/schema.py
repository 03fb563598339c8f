"""The declared columns of what a Teleport account lists.

Sources: Teleport API specification page (``CaptureOutput``, ``SegmentModel``).
"""

from __future__ import annotations

from cupixgeo.services.tables import ANY, INTEGER, NUMBER, TEXT, TIME, TRUTH, Column, TableSchema

CAPTURES = TableSchema(
    "captures",
    (
        Column("eid", TEXT, meaning="id of the capture"),
        Column("name", TEXT, meaning="name"),
        Column("state", TEXT, meaning="the service's word: CREATED, PROCESSING, READY, ERROR, ..."),
        Column("created", TIME, meaning="when it was announced"),
        Column("uploaded", TIME, meaning="when its upload was complete; missing before"),
        Column("sid", TEXT, meaning="id of the share page; missing until it is ready"),
        Column("error_reason", TEXT, meaning="why it failed"),
        Column("error_reason_slug", TEXT, meaning="why it failed, as one stable word"),
        Column("state_description", TEXT, meaning="what the service says about the state"),
        Column("is_public", TRUTH, meaning="whether everybody may see it"),
        Column("viewer_url", TEXT, meaning="page to look at it"),
        Column("share_link", TEXT, meaning="page to show it to others"),
        Column("preview_url", TEXT, meaning="a picture"),
        Column("preview_urls", ANY, meaning="pictures by size in pixels"),
    ),
)

MODELS = TableSchema(
    "models",
    (
        Column("number", INTEGER, meaning="position in the metadata, from 0"),
        Column("profile", TEXT, meaning="how the file is packed: ply, sogs-sh0, ..."),
        Column("id", TEXT, meaning="id of the segment"),
        Column("parent", TEXT, meaning="id of the coarser segment it refines"),
        Column("is_leaf", TRUTH, meaning="whether no finer segment refines it"),
        Column("size", INTEGER, "byte", "size of the file"),
        Column("x_min", NUMBER, "scene unit", "lowest x"),
        Column("y_min", NUMBER, "scene unit", "lowest y"),
        Column("z_min", NUMBER, "scene unit", "lowest z"),
        Column("x_max", NUMBER, "scene unit", "highest x"),
        Column("y_max", NUMBER, "scene unit", "highest y"),
        Column("z_max", NUMBER, "scene unit", "highest z"),
        Column("near", NUMBER, "scene unit", "resolution_range, first number"),
        Column("far", NUMBER, "scene unit", "resolution_range, second number"),
    ),
)

CAMERAS = TableSchema(
    "cameras",
    (
        Column("number", INTEGER, meaning="position in the list, from 0"),
        Column("image_name", TEXT, meaning="name of the photo, where it is told"),
        Column("x", NUMBER, "scene unit", "camera position"),
        Column("y", NUMBER, "scene unit", "camera position"),
        Column("z", NUMBER, "scene unit", "camera position"),
        Column("matrix", ANY, meaning="pose as a 4 by 4 matrix, camera to scene; missing if raw"),
        Column("numbers", ANY, meaning="what the service sent"),
    ),
)
