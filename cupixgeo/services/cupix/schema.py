"""The tables of Cupix: their columns, what they mean, and the fields they are asked for.

Links to files (thumbnails, octrees, tiles) are not among them: they are signed, so as good as a
key, and a table is soon saved or shown. ``fields=`` gets them where they are wanted.

Sources: CupixWorks pointcloud page; CupixWorks OpenAPI files v1.9.4 and v1.13.3.
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


def _reference(field: str, what: str, *, key: bool = False) -> tuple[Column, ...]:
    """Declare a nested reference; an object with nulls and null itself both mean none."""
    columns = (
        Column(f"{field}_id", INTEGER, meaning=f"id of the {what}", path=(field, "id")),
        Column(f"{field}_name", TEXT, meaning=f"name of the {what}", path=(field, "name")),
    )
    if not key:
        return columns
    return (
        *columns,
        Column(f"{field}_key", TEXT, meaning=f"key of the {what}", path=(field, "key")),
    )


_ID = Column("id", INTEGER, meaning="id")
_NAME = Column("name", TEXT, meaning="name")
_STATE = Column("state", TEXT, meaning="how far the service is with it")
_FACILITY = _reference("facility", "facility (shown as project)", key=True)
_RECORD = _reference("record", "record (shown as capture: one date)")
_CAPTURE = _reference("capture", "capture (shown as area: one walk or upload)")
_CLUSTER = _reference("cluster", "cluster (what was aligned together)")
_LEVEL = _reference("level", "level (storey)")
_TIMES = (
    Column("created_at", TIME, meaning="when it was made"),
    Column("updated_at", TIME, meaning="when it was changed last"),
)

POINTCLOUDS = TableSchema(
    "pointclouds",
    (
        _ID,
        _NAME,
        Column("kind", TEXT, meaning="group (parent, no file) or sub (child, has the file)"),
        Column("pointcloud_type", TEXT, meaning="uploaded or 3d_reconstructed"),
        _STATE,
        *_reference("parent", "group of a sub"),
        *_CLUSTER,
        *_CAPTURE,
        *_RECORD,
        *_LEVEL,
        *_FACILITY,
        Column("points_count", INTEGER, "points", "points in the file"),
        Column("filesize", INTEGER, "byte", "size of the file"),
        Column("resource_state", TEXT, meaning="created, uploading, missing or uploaded"),
        Column("ply_uploaded_at", TIME, meaning="since when there is a PLY"),
        Column("use_georeference", TRUTH, meaning="whether its own georeference holds"),
        Column("published_at", TIME, meaning="when it was published"),
        *_TIMES,
    ),
)

FACILITIES = TableSchema(
    "facilities",
    (
        _ID,
        Column("key", TEXT, meaning="key it is addressed by"),
        _NAME,
        _STATE,
        Column("address", TEXT, meaning="address"),
        *_reference("workspace", "workspace"),
        Column("lat_deg", NUMBER, "deg", "latitude of its origin", ("georeference", "lat")),
        Column("lon_deg", NUMBER, "deg", "longitude of its origin", ("georeference", "lon")),
        Column("alt_m", NUMBER, "m", "height of its origin", ("georeference", "alt")),
        Column(
            "bearing_deg",
            NUMBER,
            "deg",
            "direction of its y axis, clockwise from true north",
            ("georeference", "bearing"),
        ),
        Column("epsg_code", TEXT, "", "CRS of its origin", ("georeference", "epsg_code")),
        Column("x", TEXT, "", "easting of its origin, as sent", ("georeference", "x")),
        Column("y", TEXT, "", "northing of its origin, as sent", ("georeference", "y")),
        Column("z", TEXT, "", "height of its origin, as sent", ("georeference", "z")),
        Column("use_georeference", TRUTH, meaning="whether the service uses the georeference"),
        *_TIMES,
    ),
)

LEVELS = TableSchema(
    "levels",
    (
        _ID,
        _NAME,
        _STATE,
        Column("elevation", NUMBER, "m", "height of the floor"),
        Column("ceiling_height", NUMBER, "m", "height of the ceiling above the floor"),
        *_FACILITY,
        *_TIMES,
    ),
)

RECORDS = TableSchema(
    "records",
    (
        _ID,
        _NAME,
        _STATE,
        Column("captured_at", TIME, meaning="date of the captures"),
        Column("note", TEXT, meaning="note"),
        *_FACILITY,
        *_TIMES,
    ),
)

CAPTURES = TableSchema(
    "captures",
    (
        _ID,
        _NAME,
        _STATE,
        Column("material", TEXT, meaning="pano, video, video-pano or pointcloud"),
        Column("creation_platform", TEXT, meaning="where it was made"),
        Column("method", TEXT, meaning="how it was made"),
        Column("upload_state", TEXT, meaning="how far the upload is"),
        Column("editing_state", TEXT, meaning="how far the editing is"),
        Column("reconstruction_state", TEXT, meaning="how far the reconstruction is"),
        Column("refinement_state", TEXT, meaning="how far the refinement is"),
        *_RECORD,
        *_LEVEL,
        *_FACILITY,
        Column("captured_at", TIME, meaning="when it was captured"),
        *_TIMES,
    ),
)

CLUSTERS = TableSchema(
    "clusters",
    (
        _ID,
        _NAME,
        _STATE,
        Column("kind", TEXT, meaning="kind"),
        Column("cluster_type", TEXT, meaning="none, unrefined or refined"),
        *_reference("parent", "cluster above it"),
        Column("root_id", INTEGER, meaning="topmost cluster"),
        *_CAPTURE,
        *_RECORD,
        *_LEVEL,
        *_FACILITY,
        Column("meta", ANY, meaning="matrices and more, as sent"),
        *_TIMES,
    ),
)

PANOS = TableSchema(
    "panos",
    (
        _ID,
        _NAME,
        _STATE,
        Column("pano_type", TEXT, meaning="kind of picture"),
        *_CLUSTER,
        *_CAPTURE,
        *_RECORD,
        *_LEVEL,
        *_FACILITY,
        Column("captured_at", TIME, meaning="when it was taken"),
        Column("gps_lat_deg", NUMBER, "deg", "latitude the camera measured", ("gps", "lat")),
        Column("gps_lon_deg", NUMBER, "deg", "longitude the camera measured", ("gps", "lon")),
        Column("gps_alt_m", NUMBER, "m", "height the camera measured", ("gps", "alt")),
    ),
)

POSE_FIELDS = ("geo_coordinate", "use_georeference", "georeference", "constants")
"""What the poses of panos are computed from."""

POSES = TableSchema(
    "poses",
    (
        Column("x", NUMBER, "m", "position in the facility's frame, NaN if not aligned"),
        Column("y", NUMBER, "m", "position in the facility's frame"),
        Column("z", NUMBER, "m", "position in the facility's frame, up"),
        Column("qx", NUMBER, "", "orientation: unit quaternion, x component"),
        Column("qy", NUMBER, "", "orientation: unit quaternion, y component"),
        Column("qz", NUMBER, "", "orientation: unit quaternion, z component"),
        Column("qw", NUMBER, "", "orientation: unit quaternion, real component"),
        Column("lon_deg", NUMBER, "deg", "WGS 84 longitude, NaN if not georeferenced"),
        Column("lat_deg", NUMBER, "deg", "WGS 84 latitude"),
        Column("height_m", NUMBER, "m", "height above the WGS 84 ellipsoid"),
    ),
)
"""The columns of poses, behind those of the panos."""

USERS = TableSchema(
    "users",
    (
        _ID,
        _NAME,
        Column("email", TEXT, meaning="e-mail address"),
        *_reference("team", "team"),
    ),
)
