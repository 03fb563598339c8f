"""What a finished capture says about its models: metadata v1 and v2.

References
----------
Teleport API specification page (``CaptureMetadata``, ``SegmentModel``, ``LodAabb``, ``Matrix``);
API documentation, *capture metadata* v1 and v2. Key names of v2 beyond those a public client reads
are made up here and so are their contents: ``initial_camera``, ``gps_transformation``,
``registration``.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from cupixgeo.emulator.frames import Array, quaternion
from cupixgeo.emulator.storage import StoredObject
from cupixgeo.emulator.teleport.refusal import Checked, refused
from cupixgeo.emulator.teleport.scene import Scene, Variant, scene_of

if TYPE_CHECKING:
    from cupixgeo.emulator.stage import Stage
    from cupixgeo.emulator.teleport.captures import Capture
    from cupixgeo.emulator.teleport.settings import TeleportSettings
    from cupixgeo.emulator.wire import Request

PROFILES = ("ply", "sogs-sh0")
"""Profiles that are made here; others that are documented are as unknown as misspelt ones."""

COORDINATES = ("colmap",)
CROPS = ("autocrop",)
_FPS = 30


class Metadata:
    """Writes metadata and publishes the files it names.

    Parameters
    ----------
    stage : Stage
        Storage, world and options.
    settings : TeleportSettings
        `camera_numbers` and `reposition` are obeyed.
    """

    def __init__(self, stage: Stage, settings: TeleportSettings) -> None:
        self._stage = stage
        self._settings = settings

    @property
    def scene(self) -> Scene:
        """Splats and cameras; made when first needed."""
        return scene_of(self._stage.world.brighton)

    def v1(self, capture: Capture, request: Request) -> dict[str, Any]:
        """Answer ``GET /share/{sid}/metadata``."""
        query = Checked(request.query, "query")
        quality = query.choice("quality", ("sd", "hd"), needed=False) or "hd"
        lod = query.truth("lod", default=False)
        use_cdn = query.truth("use_cdn", default=True)
        query.done()
        asked = [value for name, value in request.pairs if name == "profiles"] or list(PROFILES)
        profile = next((name for name in asked if name in PROFILES), None)
        if profile is None:
            raise refused(404, "No model for these profiles")
        host = "cdn" if use_cdn else "origin"
        models = self._models(capture, profile, quality, host, lod=lod)
        poses = [self._matrix(pose) for _, pose in self.scene.cameras]
        answer = {
            "eid": capture.eid,
            "name": capture.name,
            "segmented_capture_eid": None,
            "profile_name": profile,
            "lod": lod,
            "model_urls": [model["url"] for model in models],
            "cameras": poses,
            "models": models,
            "sid": capture.sid,
            "hdr_mode": None,
            "nominal_ev": 0,
            "tmo_parameters": [],
            "video_trajectory": {"fps": _FPS, "keyframes": poses[:3]},
        }
        if self._settings.reposition is not None:
            names = ("rotation_x", "rotation_y", "rotation_z", "rotation_w", "scale")
            answer["reposition_data"] = dict(zip(names, self._settings.reposition, strict=True))
        return answer

    def v2(self, capture: Capture, request: Request) -> dict[str, Any]:
        """Answer ``GET /api/v2/captures/{resourceid}/metadata``."""
        query = request.query
        profile = query.get("content_profile", "ply")
        crop, coordinates = query.get("crop_variant"), query.get("coord_system")
        known = (
            profile in PROFILES
            and crop in (None, *CROPS)
            and coordinates in (None, "default", *COORDINATES)
        )
        if not known:
            raise refused(404, "No metadata for this combination")
        variant = Variant(profile, is_cropped=crop is not None)
        first = self.scene.cameras[0][1]
        return {
            "sid": capture.sid,
            "name": capture.name,
            "content_profile": profile,
            "coord_system": coordinates or "default",
            "model_url": self._link(capture, variant, "cdn"),
            "cameras_url": self._cameras_link(capture),
            "initial_camera": {
                "position": first[:3, 3].tolist(),
                "rotation": quaternion(first[:3, :3]),
            },
            "gps_transformation": {"matrix": np.linalg.inv(self.scene.truth).ravel().tolist()},
            "registration": {"registered_images": len(self.scene.cameras)},
        }

    def preview(self, capture: Capture, size: str) -> str:
        """Return the link to a preview picture: a real photo, made small."""
        width, height = (int(number) for number in size.split("x"))
        load = partial(_preview, self._stage.world.brighton.photos[0].photo.path, width, height)
        key = f"public/teleport/{capture.sid}/preview-{size}.jpg"
        return self._stage.storage.publish(StoredObject(key, "preview.jpg", "image/jpeg", load))

    def _models(
        self, capture: Capture, profile: str, quality: str, host: str, *, lod: bool
    ) -> list[dict[str, Any]]:
        """List the segments: one, or a coarse root with two fine children."""
        if not lod:
            return [self._segment(capture, Variant(profile, quality), host)]
        root = self._segment(capture, Variant(profile, "root"), host)
        root |= {"id": "0", "resolution_range": [10.0, 1000.0]}
        children = []
        for half in (0, 1):
            child = self._segment(capture, Variant(profile, quality, half), host)
            nested = {"id": f"0-{half}", "parent": "0", "resolution_range": [0.0, 10.0]}
            children.append(child | nested)
        return [root, *children]

    def _segment(self, capture: Capture, variant: Variant, host: str) -> dict[str, Any]:
        return {
            "url": self._link(capture, variant, host),
            "size": len(self.scene.file(variant)),
            "id": None,
            "aabb": self.scene.box(variant),
            "resolution_range": None,
            "parent": None,
        }

    def _link(self, capture: Capture, variant: Variant, host: str) -> str:
        name = variant.file_name
        kind = "application/octet-stream" if variant.profile == "ply" else "application/zip"
        key = f"teleport/{host}/{capture.sid}/{variant.profile}/{name}"
        load = partial(self.scene.file, variant)
        return self._stage.storage.link(StoredObject(key, name, kind, load))

    def _cameras_link(self, capture: Capture) -> str:
        key = f"teleport/cdn/{capture.sid}/cameras.json"
        load = partial(_cameras, self.scene.cameras)
        return self._stage.storage.link(StoredObject(key, "cameras.json", "application/json", load))

    def _matrix(self, pose: Array) -> dict[str, list[float]]:
        numbers = self._settings.camera_numbers
        if numbers == 7:
            return {"matrix": [*pose[:3, 3].tolist(), *quaternion(pose[:3, :3])]}
        if numbers == 12:
            return {"matrix": pose[:3].ravel().tolist()}
        order = "C" if self._stage.options.matrix_order == "row" else "F"
        return {"matrix": pose.ravel(order=order).tolist()}  # type: ignore[arg-type]


def _cameras(poses: Iterable[tuple[str, Array]]) -> bytes:
    cameras = [
        {
            "image_name": name,
            "position": pose[:3, 3].tolist(),
            "rotation": quaternion(pose[:3, :3]),
        }
        for name, pose in poses
    ]
    return json.dumps({"cameras": cameras}).encode()


def _preview(path: Any, width: int, height: int) -> bytes:
    import io

    from PIL import Image, ImageOps

    target = io.BytesIO()
    with Image.open(path) as photo:
        ImageOps.fit(photo, (width, height)).save(target, "JPEG", quality=80)
    return target.getvalue()
