"""Mutations about files: images, meta files and the models of imported projects.

Knows who may put what where, and under which name. What happens to a file that arrived is in
`worker`.
"""

from __future__ import annotations

import hashlib
import re
import uuid
from datetime import UTC, datetime
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import unquote, urlsplit

from cupixgeo.emulator.altizure.access import graphql_error, signed_in, writing
from cupixgeo.emulator.altizure.buckets import Buckets, bucket_of
from cupixgeo.emulator.altizure.fetch import fetcher
from cupixgeo.emulator.altizure.records import Account, Image, MetaFile, Model, Project
from cupixgeo.emulator.altizure.store import Store
from cupixgeo.emulator.altizure.views import Resolver
from cupixgeo.emulator.altizure.worker import META_NAMES

_MODEL_NAME = re.compile(r"[a-zA-Z0-9._]+")
_SUFFIXES = {"JPEG": ".jpg", "PNG": ".png", "TIFF": ".tif"}


# -- images --------------------------------------------------------------------------------------


def _has_image(store: Store, account: Account, pid: str, checksum: str) -> Image | None:
    project = store.own(pid, account)
    images = project.images.values() if project else ()
    unusable = () if store.rules.has_image_unfinished else ("Pending", "Uploading", "Invalid")
    found = [i for i in images if i.checksum == checksum and i.state not in unusable]
    return next((i for i in found if i.is_usable), found[0] if found else None)


def _upload_image(
    store: Store,
    account: Account,
    pid: str,
    bucket: str,
    filename: str,
    type: str | None = None,
    checksum: str | None = None,
) -> dict[str, Any] | None:
    project = store.own(pid, account)
    if project is None or project.is_imported:
        return None
    place = bucket_of(bucket)
    id = store.new_id()
    suffix = _SUFFIXES.get(type or "", PurePosixPath(filename).suffix.lower())
    hashed = _hashed_name(id, suffix)
    stored = filename if place.cloud == "MINIO" else hashed
    image = Image(id, filename, stored, store.now, place.cloud, checksum=checksum)
    project.add_image(image)
    key = store.expect(place, project, image)
    if place.cloud != "OSS":
        return {"url": store.buckets.upload_url(place, key), "image": image}
    return {"place": place, "project": project, "image": image}


def _upload_image_oss(source: Any, info: Any, **arguments: Any) -> dict[str, Any] | None:
    """Register an image; where only credentials are asked for, no record stays behind."""
    upload: dict[str, Any] | None = signed_in(writing(_upload_image))(source, info, **arguments)
    store: Store = info.context.store
    if upload is not None and "image" not in _selected(info) and not store.rules.sts_leaves_image:
        upload["project"].forget_image(upload["image"].id)
    return upload


def _sts(upload: dict[str, Any], info: Any) -> dict[str, Any]:
    buckets: Buckets = info.context.store.buckets
    grant = buckets.grant(upload["place"], upload["project"].id)
    expire = datetime.fromtimestamp(grant.expires, tz=UTC)
    return {
        "id": grant.access_key_id,
        "secret": grant.secret_access_key,
        "token": grant.session_token,
        "bucket": upload["place"].name,
        "endpoint": buckets.endpoint,
        "expire": f"{expire:%Y-%m-%dT%H:%M:%SZ}",
    }


def _upload_image_url(
    store: Store,
    account: Account,
    pid: str,
    url: str,
    filename: str | None = None,
    checksum: str | None = None,
    token: str | None = None,
) -> Image | None:
    project = store.own(pid, account)
    if project is None or project.is_imported:
        return None
    id, name = store.new_id(), filename or _name_in(url)
    hashed = _hashed_name(id, PurePosixPath(name).suffix.lower())
    image = Image(id, name, hashed, store.now, "URL", checksum=checksum, fetch=fetcher(url, token))
    image.due = store.now + store.rules.image_step_s
    project.add_image(image)
    return image


def _start_image(store: Store, account: Account, id: str) -> Image | None:
    found = store.image_owner(id, account)
    if found is None:
        return None
    image = found[1]
    if image.state == "Pending" and image.source != "URL":
        image.state, image.modified = "Uploading", store.now
    return image


def _done_image(store: Store, account: Account, id: str) -> Image | None:
    found = store.image_owner(id, account)
    if found is None:
        return None
    project, image = found
    if image.state == "Uploading":
        store.collect(project, image)
        store.uploaded(image)
    return image


# -- meta files and models -----------------------------------------------------------------------


def _upload_meta(
    store: Store, account: Account, pid: str, bucket: str, filename: str
) -> dict[str, Any] | None:
    project = store.own(pid, account)
    if project is None or project.is_imported or filename not in META_NAMES:
        return None
    place = bucket_of(bucket)
    file = _new_meta(store, project, filename, place.cloud)
    key = store.expect(place, project, file)
    return {"url": store.buckets.upload_url(place, key), "file": file}


def _upload_meta_url(
    store: Store,
    account: Account,
    pid: str,
    url: str,
    filename: str | None = None,
    checksum: str | None = None,
) -> MetaFile | None:
    project, name = store.own(pid, account), filename or _name_in(url)
    if project is None or project.is_imported or name not in META_NAMES:
        return None
    file = _new_meta(store, project, name, "URL")
    file.checksum, file.fetch = checksum, fetcher(url)
    file.due = store.now + store.rules.image_step_s
    return file


def _new_meta(store: Store, project: Project, name: str, source: str) -> MetaFile:
    id = store.new_id()
    hashed = _hashed_name(id, PurePosixPath(name).suffix)
    file = MetaFile(id, name, hashed, store.now, source, date=store.stage.clock.iso())
    project.meta_files[id] = file
    return file


def _upload_model(
    store: Store, account: Account, id: str, bucket: str, filename: str
) -> dict[str, Any] | None:
    project = _imported(store, account, id)
    if project is None:
        return None
    _check_model_name(filename)
    place = bucket_of(bucket)
    model = store.new_model(project, filename, place.cloud)
    key = store.expect(place, project, model)
    return {"url": store.buckets.upload_url(place, key), "file": model}


def _upload_model_url(
    store: Store,
    account: Account,
    pid: str,
    url: str,
    filename: str | None = None,
    checksum: str | None = None,
) -> Model | None:
    project, name = _imported(store, account, pid), filename or _name_in(url)
    if project is None:
        return None
    _check_model_name(name)
    model = store.new_model(project, name, "URL")
    model.checksum, model.fetch = checksum, fetcher(url)
    return model


def _done_model(
    store: Store, account: Account, id: str, merge: bool | None = None
) -> Project | None:
    project = _imported(store, account, id)
    if project is not None and project.imported_state == "Pending" and project.models:
        store.done_models(project, merge=bool(merge))
    return project


def _clean_up_model(store: Store, account: Account, id: str) -> Project | None:
    project = _imported(store, account, id)
    if project is not None:
        project.models.clear()
    return project


def _imported(store: Store, account: Account, id: str) -> Project | None:
    project = store.own(id, account)
    return project if project is not None and project.is_imported else None


def _check_model_name(name: str) -> None:
    if not _MODEL_NAME.fullmatch(name) or ".zip" not in name.lower():
        raise graphql_error(f"Invalid filename: {name}")


def _selected(info: Any) -> set[str]:
    """Return the names of the fields that are selected below the present one."""
    chosen = (node.selection_set.selections for node in info.field_nodes if node.selection_set)
    return {field.name.value for fields in chosen for field in fields if hasattr(field, "name")}


def _hashed_name(id: str, suffix: str) -> str:
    digest = hashlib.md5(id.encode(), usedforsecurity=False).hexdigest()
    return f"{uuid.UUID(digest)}{suffix}"


def _name_in(url: str) -> str:
    return PurePosixPath(unquote(urlsplit(url).path)).name or "file"


_CHANGES: dict[str, Resolver] = {
    "hasImage": _has_image,
    "uploadImageS3": writing(_upload_image),
    "uploadImageMinio": writing(_upload_image),
    "uploadImageURL": writing(_upload_image_url),
    "startImageUpload": writing(_start_image),
    "doneImageUpload": writing(_done_image),
    "uploadMetaFileS3": writing(_upload_meta),
    "uploadMetaFileMinio": writing(_upload_meta),
    "uploadMetaURL": writing(_upload_meta_url),
    "uploadModelS3": writing(_upload_model),
    "uploadModelMinio": writing(_upload_model),
    "uploadModelURL": writing(_upload_model_url),
    "doneModelUpload": writing(_done_model),
    "cleanupImportedModel": writing(_clean_up_model),
}
UPLOADS: dict[str, Resolver] = {
    **{f"Mutation.{name}": signed_in(change) for name, change in _CHANGES.items()},
    "Mutation.uploadImageOSS": _upload_image_oss,
    "ImageUploadOSS.sts": _sts,
}
