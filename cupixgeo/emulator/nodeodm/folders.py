"""The node's disk: a folder of uploads for each task that was announced, then its images.

Knows files in a temporary folder of its own, and what the node does with special names. Knows no
HTTP and no task states.

References
----------
NodeODM 2.2.4: a second file with the same name gets ``_`` before its extension; ``seed.zip`` is
unpacked over the task's folder; ``*.txt`` is moved away from the images, ``*.zip`` is deleted.
"""

from __future__ import annotations

import io
import shutil
import tempfile
import weakref
import zipfile
from pathlib import Path, PurePosixPath

SEED = "seed.zip"


class BadArchiveError(ValueError):
    """A seed archive cannot be unpacked; the text is what the node answers."""


class Folders:
    """Uploads and images of all tasks, until the object itself is forgotten."""

    def __init__(self) -> None:
        self._root = Path(tempfile.mkdtemp(prefix="cupixgeo-nodeodm-"))
        weakref.finalize(self, shutil.rmtree, self._root, ignore_errors=True)

    def announce(self, uuid: str) -> None:
        """Make the folder for uploads; one that is there stays as it is."""
        self._uploads(uuid).mkdir(exist_ok=True)

    def put(self, uuid: str, name: str, content: bytes) -> str:
        """Store an uploaded file and return the name it got."""
        path = self._uploads(uuid) / (name or "_")
        while path.exists():
            path = path.with_name(f"{path.stem}_{path.suffix}")
        path.write_bytes(content)
        return path.name

    def uploads(self, uuid: str) -> list[str]:
        """Return the names of what was uploaded."""
        return _names(self._uploads(uuid))

    def discard_uploads(self, uuid: str) -> None:
        """Delete what was uploaded and not committed."""
        shutil.rmtree(self._uploads(uuid), ignore_errors=True)

    def commit(self, uuid: str) -> None:
        """Make the uploads the images of a task: seed first, then whatever is no image.

        Raises
        ------
        BadArchiveError
            If a seed cannot be unpacked.
        """
        shutil.rmtree(self._task(uuid), ignore_errors=True)
        self._task(uuid).mkdir()
        images = self._images(uuid)
        self._uploads(uuid).rename(images)
        seed = images / SEED
        if seed.exists():
            content = seed.read_bytes()
            seed.unlink()
            self._unpack(content, self._task(uuid))

    def settle(self, uuid: str) -> None:
        """Move texts away from the images and delete archives."""
        images, ground = self._images(uuid), self._task(uuid) / "gcp"
        ground.mkdir(exist_ok=True)
        for path in list(images.iterdir()):
            if path.suffix.lower() == ".txt":
                path.rename(ground / path.name)
            elif path.suffix.lower() == ".zip":
                path.unlink()

    def images(self, uuid: str) -> list[str]:
        """Return the names of a task's images."""
        return _names(self._images(uuid))

    def ground_files(self, uuid: str) -> list[str]:
        """Return the names of a task's text files: ground control points and the like."""
        return _names(self._task(uuid) / "gcp")

    def image(self, uuid: str, name: str) -> bytes:
        """Return one image."""
        return (self._images(uuid) / name).read_bytes()

    def discard(self, uuid: str) -> None:
        """Delete everything of a task."""
        self.discard_uploads(uuid)
        shutil.rmtree(self._task(uuid), ignore_errors=True)

    def readable_images(self, uuid: str) -> list[str]:
        """Return the names of the images that have a size."""
        return [name for name in self.images(uuid) if _is_readable(self.image(uuid, name))]

    def _unpack(self, content: bytes, target: Path) -> None:
        """Unpack an archive over a folder; members that would leave it are passed over."""
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                for member in archive.infolist():
                    inner = PurePosixPath(member.filename)
                    if member.is_dir() or inner.is_absolute() or ".." in inner.parts:
                        continue
                    path = target / inner
                    path.parent.mkdir(parents=True, exist_ok=True)
                    path.write_bytes(archive.read(member))
        except (zipfile.BadZipFile, OSError) as error:
            raise BadArchiveError("Could not extract .zip file, 7z exited with code 2") from error

    def _uploads(self, uuid: str) -> Path:
        return self._root / f"tmp-{uuid}"

    def _task(self, uuid: str) -> Path:
        return self._root / f"data-{uuid}"

    def _images(self, uuid: str) -> Path:
        return self._task(uuid) / "images"


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def _is_readable(content: bytes) -> bool:
    """Return whether the bytes begin an image that has a size; pixels are not decoded."""
    from PIL import Image, UnidentifiedImageError

    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.width > 0 and image.height > 0
    except (UnidentifiedImageError, OSError, ValueError):
        return False
