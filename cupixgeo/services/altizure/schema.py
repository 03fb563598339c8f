"""Declared columns of the Altizure tables.

Sources: the fields public clients select (altizure/alti-cli gql/), units from altizure/user-docs.
"""

from __future__ import annotations

from cupixgeo.services.tables import (
    ANY,
    INTEGER,
    NUMBER,
    TEXT,
    TIME,
    TRUTH,
    Column,
    TableSchema,
)

ACCOUNT = TableSchema(
    "account",
    (
        Column("id", TEXT, meaning="id of the user"),
        Column("email", TEXT, meaning="e-mail address"),
        Column("name", TEXT, meaning="display name"),
        Column("username", TEXT, meaning="unique name"),
        Column("country", TEXT, meaning="country"),
        Column("balance", NUMBER, "coin", "Alticoins left"),
        Column("free_gp_quota", NUMBER, "gigapixel", "largest free project", ("freeGPQuota",)),
        Column("membership_state", TEXT, "", "state of the membership", ("membershipState",)),
        Column("plan", TEXT, "", "name of the membership's plan", ("membership", "planName")),
        Column("plan_until", TIME, "", "end of the membership", ("membership", "endDate")),
        Column("coin_per_gp", NUMBER, "coin/gigapixel", "price", ("membership", "coinPerGP")),
        Column("visibility", ANY, "", "what free projects may be", ("membership", "visibility")),
        Column("joined", TIME, meaning="member since"),
    ),
)
PROJECTS = TableSchema(
    "projects",
    (
        Column("id", TEXT, meaning="id of the project"),
        Column("name", TEXT, meaning="display name; need not be unique"),
        Column("project_type", TEXT, "", "free or pro", ("projectType",)),
        Column("visibility", TEXT, meaning="public, unlisted or private"),
        Column("is_imported", TRUTH, "", "a model was imported, not made", ("isImported",)),
        Column("imported_state", TEXT, "", "Native, or state of the import", ("importedState",)),
        Column("images", INTEGER, "", "number of images", ("numImage",)),
        Column("gigapixels", NUMBER, "gigapixel", "size of the images", ("gigaPixel",)),
        Column("task_state", TEXT, "", "state of the last task", ("taskState",)),
        Column("date", TIME, meaning="made at"),
        Column("clouds", ANY, meaning="where its files are"),
    ),
)
COUPONS = TableSchema("coupons", (Column("id", TEXT, meaning="id of the coupon"),))
IMAGES = TableSchema(
    "images",
    (
        Column("id", TEXT, meaning="id of the image"),
        Column("name", TEXT, meaning="name of the photo"),
        Column("state", TEXT, meaning="Pending, Uploading, ..., Ready or Invalid"),
        Column("error", TEXT, meaning="why it is Invalid"),
        Column("checksum", TEXT, meaning="SHA-1, hexadecimal"),
        Column("filename", TEXT, meaning="name of the object at the service"),
    ),
)
TASKS = TableSchema(
    "tasks",
    (
        Column("id", TEXT, meaning="id of the task"),
        Column("task_type", TEXT, "", "Native, Dense, ...", ("taskType",)),
        Column("state", TEXT, meaning="the service's own word"),
        Column("started_at", TIME, "", "begun", ("startDate",)),
        Column("ended_at", TIME, "", "ended", ("endDate",)),
        Column("step", INTEGER, meaning="step that is under way"),
        Column("total_steps", INTEGER, "", "steps in all", ("totalSteps",)),
        Column("queueing", INTEGER, meaning="place in the queue"),
    ),
)
DOWNLOADS = TableSchema(
    "downloads",
    (
        Column("name", TEXT, meaning="name of the file"),
        Column("state", TEXT, meaning="the service's own word"),
        Column("bytes", INTEGER, "byte", "size", ("size",)),
        Column("modified_at", TIME, "", "last change", ("mtime",)),
        Column("is_ready", TRUTH, meaning="whether it can be fetched"),
    ),
)
BUCKETS = TableSchema(
    "buckets",
    (
        Column("kind", TEXT, meaning="image, meta or model"),
        Column("cloud", TEXT, meaning="S3, OSS or MINIO"),
        Column("bucket", TEXT, meaning="name to give as bucket="),
        Column("display", TEXT, meaning="name for people"),
    ),
)
ERROR_CODES = TableSchema(
    "error_codes",
    (
        Column("code", TEXT, meaning="as the service names it"),
        Column("description", TEXT, meaning="what happened"),
        Column("solution", TEXT, meaning="what to do"),
    ),
)
MODELS = TableSchema(
    "imported_models",
    (
        Column("id", TEXT, meaning="id of the file"),
        Column("name", TEXT, meaning="name of the file"),
        Column("state", TEXT, meaning="Pending, Ready or Failed"),
        Column("filename", TEXT, meaning="name of the object at the service"),
    ),
)
