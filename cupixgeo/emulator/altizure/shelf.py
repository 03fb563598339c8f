"""Where the bytes of uploads are kept: a folder of their own that goes away with the emulator."""

from __future__ import annotations

import shutil
import tempfile
import weakref
from functools import cached_property
from pathlib import Path


class Shelf:
    """A temporary folder, made when the first file is put into it."""

    def put(self, name: str, data: bytes) -> Path:
        """Keep bytes under a name; returns where they are."""
        path = self._folder / name
        path.write_bytes(data)
        return path

    @cached_property
    def _folder(self) -> Path:
        folder = tempfile.mkdtemp(prefix="cupixgeo-emulator-altizure-")
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        return Path(folder)
