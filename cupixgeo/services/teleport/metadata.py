"""What a finished capture says about itself: models and their levels, cameras, trajectory, fixes.

Knows both versions of the metadata as values. Links are `Secret`: they are signed. What nobody
documents is kept under `extra`. Must not know how metadata is asked for.

Frames: models, cameras and boxes are in the capture's own frame, unitless; x right, y down, z
forward, as 3DGS files are. That the scale is not metric is the rule here until the service says
otherwise.

Sources: Teleport API specification page (``CaptureMetadata``, ``SegmentModel``, ``LodAabb``,
``Matrix``, ``reposition_data``); API documentation, *capture metadata* (v1 and v2).
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from cupixgeo.errors import CupixGeoWarning, ResponseError, TransformError
from cupixgeo.geodesy.wire import read_matrix
from cupixgeo.net.secret import Secret

Array = NDArray[np.float64]
QuatOrder = Literal["xyzw", "wxyz"]


@dataclass(frozen=True)
class Model:
    """One file of a capture: the whole scene, or a segment of its tree of details.

    Parameters
    ----------
    number : int
        Position in the metadata, from 0.
    url : Secret
        Where it is; may expire.
    size : int or None
        [byte]
    id, parent : str or None
        Its id, and that of the coarser segment it refines.
    box : tuple of two tuples of three float, or None
        Lowest and highest corner [scene unit].
    resolution_range : tuple of float or None
        Bounds between which it is drawn.
    """

    number: int
    url: Secret
    size: int | None = None
    id: str | None = None
    parent: str | None = None
    box: tuple[tuple[float, ...], tuple[float, ...]] | None = None
    resolution_range: tuple[float, ...] | None = None


@dataclass(frozen=True, eq=False)
class Camera:
    """Where a photo was taken, in the capture's frame.

    Parameters
    ----------
    numbers : tuple of float
        What the service sent.
    position : ndarray, shape (3,), float64 [scene unit], or None
        Camera centre; None where the numbers are not understood.
    matrix : ndarray, shape (4, 4), float64, or None
        Camera to scene; None where only the position is known.
    image_name : str
        Name of the photo; empty where it is not told.
    """

    numbers: tuple[float, ...]
    position: Array | None = None
    matrix: Array | None = None
    image_name: str = ""


@dataclass(frozen=True)
class Reposition:
    """A user's correction of orientation and scale.

    Parameters
    ----------
    quaternion : tuple of float
        x, y, z, w.
    scale : float
        Factor.
    """

    quaternion: tuple[float, float, float, float]
    scale: float

    @property
    def matrix(self) -> Array:
        """Matrix (4, 4) for ``p' = scale · R(q) · p``; that it is applied so is inferred."""
        matrix = np.eye(4)
        matrix[:3, :3] = self.scale * _turn(self.quaternion)
        return matrix


@dataclass(frozen=True, eq=False, repr=False)
class Metadata:
    """Metadata v1, of a share page.

    Parameters
    ----------
    eid, sid, name, profile : str
        Ids and name of the capture, and how the models are packed.
    is_lod : bool
        Whether the models are a tree of details.
    models : tuple of Model
        In the service's order.
    cameras : tuple of Camera
        Poses.
    trajectory_fps : float or None
        Pictures a second of the video trajectory; None where there is none.
    trajectory : tuple of Camera
        Its key frames.
    reposition : Reposition or None
        A user's correction.
    extra : mapping
        Everything else, as it came.
    """

    eid: str
    sid: str
    name: str
    profile: str
    is_lod: bool
    models: tuple[Model, ...]
    cameras: tuple[Camera, ...]
    trajectory_fps: float | None
    trajectory: tuple[Camera, ...]
    reposition: Reposition | None
    extra: Mapping[str, Any] = field(repr=False)

    def __repr__(self) -> str:
        return (
            f"<Metadata of capture {self.eid} {self.name!r}: {len(self.models)} models "
            f"({self.profile}), {len(self.cameras)} cameras>"
        )

    @property
    def leaves(self) -> tuple[Model, ...]:
        """The finest models that together are the whole: those nobody names as parent."""
        parents = {model.parent for model in self.models if model.parent is not None}
        return tuple(model for model in self.models if model.id is None or model.id not in parents)


@dataclass(frozen=True)
class MetadataV2:
    """Metadata v2: one model, in a coordinate system of the caller's choice.

    Parameters
    ----------
    sid, name, profile, coord_system : str
        Ids and the choice, as the service echoes them.
    model_url : Secret or None
        Where the model is.
    cameras_url : Secret or None
        Where the list of cameras is.
    extra : mapping
        Everything else: initial camera, GPS transformation, registration; their names are not
        public.
    """

    sid: str
    name: str
    profile: str
    coord_system: str
    model_url: Secret | None
    cameras_url: Secret | None
    extra: Mapping[str, Any] = field(repr=False)


def read_v1(answer: Any, *, quat_order: QuatOrder = "xyzw") -> Metadata:
    """Read ``GET /share/{sid}/metadata``.

    Parameters
    ----------
    answer : JSON value
        The answer.
    quat_order : {"xyzw", "wxyz"}
        Order of the quaternion in cameras of 7 numbers.

    Raises
    ------
    ResponseError
        If it is of another shape.

    Warns
    -----
    CupixGeoWarning
        If cameras are of a form nobody documents; their numbers are kept.
    """
    answer = hide_links(answer)
    body = _object(answer, "metadata")
    known = {
        "eid", "sid", "name", "profile_name", "lod", "models", "cameras", "video_trajectory",
        "reposition_data", "model_urls",
    }  # fmt: skip
    models = body.get("models") or []
    if not isinstance(models, list):
        raise _wrong("models that are no list")
    if not models:  # the deprecated form: links and nothing else
        models = [{"url": url} for url in body.get("model_urls") or []]
    video = body.get("video_trajectory")
    video = video if isinstance(video, Mapping) else {}
    return Metadata(
        eid=str(body.get("eid") or ""),
        sid=str(body.get("sid") or ""),
        name=str(body.get("name") or ""),
        profile=str(body.get("profile_name") or ""),
        is_lod=bool(body.get("lod")),
        models=tuple(_model(number, value) for number, value in enumerate(models)),
        cameras=_cameras(body.get("cameras"), quat_order, "cameras"),
        trajectory_fps=_number(video.get("fps")),
        trajectory=_cameras(video.get("keyframes"), quat_order, "key frames"),
        reposition=_reposition(body.get("reposition_data")),
        extra={name: value for name, value in body.items() if name not in known},
    )


def read_v2(answer: Any) -> MetadataV2:
    """Read ``GET /api/v2/captures/{resourceid}/metadata``.

    Raises
    ------
    ResponseError
        If it is of another shape.
    """
    answer = hide_links(answer)
    body = _object(answer, "metadata")
    links = {name: body.get(name) for name in ("model_url", "cameras_url")}
    texts = ("sid", "name", "content_profile", "coord_system")
    sid, name, profile, coordinates = (str(body.get(key) or "") for key in texts)
    model, cameras = (url if isinstance(url, Secret) else None for url in links.values())
    extra = {key: value for key, value in body.items() if key not in (*texts, *links)}
    return MetadataV2(sid, name, profile, coordinates, model, cameras, extra)


def read_cameras(answer: Any) -> tuple[Camera, ...]:
    """Read the list of cameras that v2 points at, bare or as ``{"cameras": [...]}``.

    Raises
    ------
    ResponseError
        If it is neither.
    """
    rows = answer.get("cameras") if isinstance(answer, Mapping) else answer
    if not isinstance(rows, list):
        raise _wrong("cameras that are no list")
    cameras = []
    for row in rows:
        fields = row if isinstance(row, Mapping) else {}
        numbers = _numbers(fields.get("position") or fields.get("camera_center"))
        cameras.append(
            Camera(
                numbers=numbers,
                position=np.array(numbers) if len(numbers) == 3 else None,
                image_name=str(fields.get("image_name") or fields.get("filename") or ""),
            )
        )
    return tuple(cameras)


def hide_links(value: Any) -> Any:
    """Give the same JSON with a `Secret` in place of every address: some are signed."""
    if isinstance(value, str) and value.startswith(("https://", "http://")):
        return Secret(value)
    if isinstance(value, Mapping):
        return {name: hide_links(item) for name, item in value.items()}
    return [hide_links(item) for item in value] if isinstance(value, list) else value


def _model(number: int, value: Any) -> Model:
    fields = _object(value, "a model")
    url = fields.get("url")
    if not isinstance(url, Secret):
        raise _wrong("a model without a link")
    size = fields.get("size")
    box = fields.get("aabb")
    corners = None
    if isinstance(box, Mapping):
        low, high = _numbers(box.get("min")), _numbers(box.get("max"))
        corners = (low, high) if len(low) == len(high) == 3 else None
    ids = (fields.get("id"), fields.get("parent"))
    name, parent = (None if value is None else str(value) for value in ids)
    return Model(
        number=number,
        url=url,
        size=size if isinstance(size, int) and not isinstance(size, bool) else None,
        id=name,
        parent=parent,
        box=corners,
        resolution_range=_numbers(fields.get("resolution_range")) or None,
    )


def _cameras(values: Any, quat_order: QuatOrder, what: str) -> tuple[Camera, ...]:
    rows = values if isinstance(values, list) else []
    cameras = tuple(_camera(row, quat_order) for row in rows)
    raw = [camera for camera in cameras if camera.position is None]
    if raw:
        warnings.warn(
            f"{len(raw)} of {len(cameras)} {what} come as {len(raw[0].numbers)} numbers, a form "
            "nobody documents; they are kept as they are, in .numbers.",
            CupixGeoWarning,
            stacklevel=4,
        )
    return cameras


def _camera(row: Any, quat_order: QuatOrder) -> Camera:
    """Read a pose of 16, 12 or 7 numbers; keep any other as it is."""
    numbers = _numbers(row.get("matrix") if isinstance(row, Mapping) else row)
    matrix: Array | None = None
    if len(numbers) == 16:
        try:
            matrix = read_matrix(numbers).matrix
        except TransformError:
            return Camera(numbers)
    elif len(numbers) == 12:
        matrix = np.vstack([np.array(numbers).reshape(3, 4), [0, 0, 0, 1]])
    elif len(numbers) == 7:
        quaternion = numbers[3:] if quat_order == "xyzw" else (*numbers[4:], numbers[3])
        if np.linalg.norm(quaternion) > 0:
            matrix = np.eye(4)
            matrix[:3, :3] = _turn(quaternion)
            matrix[:3, 3] = numbers[:3]
    if matrix is None:
        return Camera(numbers)
    return Camera(numbers, matrix[:3, 3].copy(), matrix)


def _reposition(value: Any) -> Reposition | None:
    if not isinstance(value, Mapping):
        return None
    names = ("rotation_x", "rotation_y", "rotation_z", "rotation_w", "scale")
    numbers = _numbers([value.get(name) for name in names])
    if len(numbers) != 5 or np.linalg.norm(numbers[:4]) == 0:
        return None
    x, y, z, w, scale = numbers
    return Reposition((x, y, z, w), scale)


def _turn(quaternion: Sequence[float]) -> Array:
    """Make the rotation matrix (3, 3) of a quaternion x, y, z, w of any length."""
    x, y, z, w = np.asarray(quaternion, dtype=np.float64) / np.linalg.norm(quaternion)
    return np.array([
        [1 - 2 * (y * y + z * z), 2 * (x * y - w * z), 2 * (x * z + w * y)],
        [2 * (x * y + w * z), 1 - 2 * (x * x + z * z), 2 * (y * z - w * x)],
        [2 * (x * z - w * y), 2 * (y * z + w * x), 1 - 2 * (x * x + y * y)],
    ])  # fmt: skip


def _numbers(values: Any) -> tuple[float, ...]:
    """Read a list of finite numbers; empty where it is none."""
    rows = values if isinstance(values, list | tuple) else []
    numbers = [_number(value) for value in rows]
    known = [number for number in numbers if number is not None]
    return tuple(known) if len(known) == len(rows) else ()


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float) or not np.isfinite(value):
        return None
    return float(value)


def _object(value: Any, what: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise _wrong(f"{what} that is no object")
    return value


def _wrong(what: str) -> ResponseError:
    return ResponseError(
        f"teleport answered with {what}. The service may have changed: report it.",
        service="teleport",
        verb="GET metadata",
    )
