"""What the service does with files by itself: verify images, read meta files, convert models.

Knows files and how their states follow each other. Knows no requests.

References
----------
States and order: altizure/dev-docs en/upload.md, en/imported-model.md, changelog 1.6.0, 1.8.4;
worker and its error texts: ``jackytck/cloud-downloader-docker`` src/server.js.
"""

from __future__ import annotations

import hashlib
import io
import re
import zipfile

from cupixgeo.emulator.altizure.records import FINISHED, Image, MetaFile, Project, Upload
from cupixgeo.emulator.altizure.rules import Rules
from cupixgeo.emulator.altizure.shelf import Shelf

META_NAMES = ("camera.txt", "pose.txt", "group.txt", "initial.xms", "initial.xms.zip")
"""Names a meta file may have (alti-cli service/constant.go)."""

_NEXT = {"Pending": "Verifying", "Uploaded": "Verifying", "Verifying": "Copying", "Copying": ""}
_FORMATS = frozenset({"JPEG", "MPO", "PNG", "TIFF"})
_PART = re.compile(r"(?P<whole>.+)(\.part\.\d+|\.\d{3})")
_NUMBERS = {"pose.txt": (3, 6), "camera.txt": (3,), "group.txt": (1,)}


def advance_image(image: Image, now: float, rules: Rules, shelf: Shelf) -> None:
    """Let an image do everything that is due by `now` [s since 1970]."""
    while image.due is not None and image.due <= now and image.state not in FINISHED:
        at = image.due
        image.modified, image.due = at, at + rules.image_step_s
        state = _NEXT[image.state]
        if state == "Verifying":
            _receive(image, shelf)
            _inspect(image, rules)
        if image.error and state == "Copying":
            state = "Invalid"
        image.state = state or "Ready"
    if image.state not in FINISHED and now - image.modified >= rules.image_timeout_s:
        image.state = "Invalid"
        image.error.append("Download Error: not finished in time")
    if image.state in FINISHED:
        image.due = None


def advance_meta(project: Project, file: MetaFile, now: float, shelf: Shelf) -> None:
    """Let a meta file do everything that is due by `now` [s since 1970]."""
    if file.due is None or file.due > now or file.state != "Pending":
        return
    file.modified, file.due = file.due, None
    _receive(file, shelf)
    if not file.error and file.path is not None:
        data = file.path.read_bytes()
        digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
        if file.checksum not in (None, digest):
            file.error.append("checksum mismatch")
        file.filesize, file.checksum = len(data), digest
        twins = (f for f in project.meta_files.values() if f is not file and f.state == "Ready")
        if any(twin.checksum == digest and twin.name == file.name for twin in twins):
            del project.meta_files[file.id]  # a duplicate is not found any more
            return
        if file.name in _NUMBERS:
            file.error += meta_errors(file.name, data)
    file.state = "Failed" if file.error else "Ready"


def meta_errors(name: str, data: bytes) -> list[str]:
    """Return what is wrong with the text of a meta file.

    Parameters
    ----------
    name : str
        ``pose.txt``, ``camera.txt`` or ``group.txt``.
    data : bytes
        Its contents: lines of an image name, which may hold blanks, and numbers.
    """
    try:
        lines = data.decode("utf-8-sig").splitlines()
    except UnicodeDecodeError:
        return [f"{name} is not text"]
    if name == "pose.txt" and lines and lines[0].split() == ["coordinatesystem", "local"]:
        lines = lines[1:]
    seen: set[str] = set()
    errors: list[str] = []
    for number, line in enumerate(lines, start=1):
        if not line.strip():
            continue
        image = _image_of(line, _NUMBERS[name], whole=name == "group.txt")
        if image is None:
            errors.append(f"{name}, line {number}: not an image and its numbers")
        elif image in seen and name == "pose.txt":
            errors.append(f"{name}, line {number}: {image} twice")
        seen.add(image or "")
    return errors


def convert_model(project: Project, shelf: Shelf) -> None:
    """Turn the uploaded zip, or its joined parts, into the project's model; or fail."""
    project.convert_due = None
    files = sorted(project.models.values(), key=lambda model: model.name)
    for file in files:
        if file.path is None and file.fetch is not None:
            _receive(file, shelf)
    whole = b"".join(file.path.read_bytes() for file in files if file.path is not None)
    names = {_PART.sub(r"\g<whole>", file.name) for file in files}
    volumes = all(re.search(r"\.\d{3}$", file.name) for file in files)
    joinable = len(files) == 1 or ((project.merge or volumes) and len(names) == 1)
    good = joinable and _holds_a_model(whole)
    project.imported_state = "Ready" if good else "Failed"
    project.error_code = None if good else "EmulatedModelUnreadable"
    project.error = None if good else "the upload is not a zip with an OBJ model in it"
    for file in files:
        file.state = project.imported_state


def model_size(project: Project) -> int:
    """Return the size [byte] of what was uploaded for an imported project."""
    return sum(f.path.stat().st_size for f in project.models.values() if f.path is not None)


def _receive(upload: Upload, shelf: Shelf) -> None:
    """Fetch what was given by URL; note an object that never came."""
    if upload.path is not None:
        return
    try:
        if upload.fetch is None:
            raise ValueError("NoSuchKey")
        upload.keep(upload.fetch(), shelf)
    except ValueError as error:
        upload.error.append(f"Download Error: {error}")


def _inspect(image: Image, rules: Rules) -> None:
    """Measure and hash an image as the worker does."""
    from PIL import Image as Picture
    from PIL import UnidentifiedImageError

    if image.path is None:
        return
    data = image.path.read_bytes()
    digest = hashlib.sha1(data, usedforsecurity=False).hexdigest()
    if image.checksum not in (None, digest):
        image.error.append("Extract Info Error: the checksum is not the one that was declared")
    image.checksum = digest
    try:
        with Picture.open(io.BytesIO(data)) as picture:
            image.width, image.height = picture.size
            known = picture.format in _FORMATS
    except (UnidentifiedImageError, OSError, SyntaxError, ValueError):
        known = False
    if not known:
        image.error.append("Extract Info Error: not a JPEG, PNG or TIFF image")
    if rules.fail_image is not None and image.name in (rules.fail_names or (image.name,)):
        image.error.append(f"{rules.fail_image}: as the emulator was told")


def _image_of(line: str, counts: tuple[int, ...], *, whole: bool) -> str | None:
    """Return the image name of a line that ends in one of the counts of numbers."""
    pattern = r"\d+" if whole else r"[-+]?(\d+\.?\d*|\.\d+)([eE][-+]?\d+)?"
    words = line.split()
    for count in sorted(counts, reverse=True):
        numbers = words[-count:]
        if len(words) > count and all(re.fullmatch(pattern, number) for number in numbers):
            return " ".join(words[:-count])
    return None


def _holds_a_model(data: bytes) -> bool:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return any(name.lower().endswith(".obj") for name in archive.namelist())
    except zipfile.BadZipFile:
        return False
