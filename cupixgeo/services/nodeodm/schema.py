"""The columns of the node's tables."""

from __future__ import annotations

from cupixgeo.services.tables import ANY, INTEGER, NUMBER, TEXT, TIME, Column, TableSchema

OPTIONS = TableSchema(
    "options",
    (
        Column("parameter", TEXT, meaning="keyword argument of plan() and restart()"),
        Column("type", TEXT, meaning="int, float, bool, enum or string"),
        Column("default", ANY, meaning="value where nothing is said"),
        Column("range", TEXT, meaning="what it can be"),
        Column("help", TEXT, meaning="what it does"),
        Column("name", TEXT, meaning="the node's own name for it"),
    ),
)
TASKS = TableSchema(
    "tasks",
    (
        Column("uuid", TEXT, meaning="id of the task"),
        Column("name", TEXT, meaning="its name"),
        Column("created", TIME, meaning="when it was made, or restarted last"),
        Column("state", TEXT, meaning="in the words of all services"),
        Column("status", TEXT, meaning="in the node's own"),
        Column("progress", NUMBER, "%", "0 to 100"),
        Column("processing_s", NUMBER, "s", "since it was made, while it runs; NaN where not"),
        Column("images", INTEGER, "image", "images it has"),
        Column("error", TEXT, meaning="why it failed"),
        Column("options", ANY, meaning="options it runs with"),
    ),
)
