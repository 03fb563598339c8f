"""Choosing a folder on the kernel's machine, by typing its path or by walking through folders.

Knows folders and which files in them are photos. Must not read any.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from difflib import get_close_matches
from pathlib import Path

import ipywidgets as w

from cupixgeo.photos.listing import PHOTO_SUFFIXES
from cupixgeo.widgets.form_field import Noted

MOST = 500
"""Folders listed at a time."""

MOST_LOOKED_AT = 20_000
"""Entries of a folder that are looked at: nobody waits for more."""

UP = ".."


class FolderPicker(Noted):
    """A path with completion, and the folders below it.

    Parameters
    ----------
    start : str
        Path to begin with; relative to the kernel's folder, ``~`` for the user's own.
    films : collection of str
        Suffixes (``".mp4"``) of single files that can be chosen, too.
    on_change : callable
        Called without arguments when another path was entered.
    """

    def __init__(
        self, start: str, *, films: Collection[str], on_change: Callable[[], None]
    ) -> None:
        self._films, self._on_change = frozenset(films), on_change
        what = "Folder of photos, or a film" if films else "Folder of photos"
        self.box = w.Combobox(
            value=start,
            description="Photos",
            placeholder="path of a folder",
            tooltip=f"{what}, on the machine of the kernel",
            ensure_option=False,
            continuous_update=False,
            layout=w.Layout(width="100%"),
            style={"description_width": "12.5em"},
        )
        self.box.add_class("cx-folder-box")
        self.list = w.Select(
            description="Folders there",
            tooltip="Folders below; choose one, then open it",
            rows=4,
            layout=w.Layout(width="100%"),
            style={"description_width": "12.5em"},
        )
        self.list.add_class("cx-folder-list")
        self.go = w.Button(description="Open", tooltip="Go to the folder chosen in the list")
        self.go.add_class("cx-open-folder")
        self.go.on_click(lambda button: self._walk(self.list.value))
        self.up = w.Button(description="Up", tooltip="Go to the folder above")
        self.up.add_class("cx-folder-up")
        self.up.on_click(lambda button: self._walk(UP))
        there = w.HBox([self.list, w.VBox([self.go, self.up])])
        there.add_class("cx-folders")
        super().__init__([self.box, there])
        self.add_class("cx-folder")
        self.box.observe(lambda change: self._typed(), "value")
        self.list.observe(lambda change: self._can_open(), "value")
        self._list()

    @property
    def value(self) -> str:
        """The path as it was entered."""
        return str(self.box.value).strip()

    @property
    def path(self) -> Path:
        """The path, with ``~`` resolved."""
        return Path(self.value or ".").expanduser()

    def _typed(self) -> None:
        self._list()
        self._on_change()

    def _walk(self, chosen: str | None) -> None:
        """Go to a folder of the list, or to the one above."""
        if chosen is None:
            return
        here = self.path if self.path.is_dir() else self.path.parent
        above = here.resolve().parent if here == Path(".") else here.parent
        self.box.value = str(above if chosen == UP else here / chosen)

    def _can_open(self) -> None:
        self.go.disabled = not self.list.value

    def _list(self) -> None:
        """Show what is there: folders to go to, photos counted; or that there is no such path."""
        path = self.path
        self.fault = self._missing(path)
        folders, photos, films = _look(path, self._films)
        names = [*folders[:MOST], *films]
        self.list.options = [(name, name) for name in names] or [("no folder below", "")]
        self.list.value = None
        self.list.rows = max(2, min(5, len(self.list.options)))
        self.list.disabled = not names
        self._can_open()
        base = Path(self.value) if self.value else Path()
        self.box.options = [str(base / name) for name in (*folders[:MOST], *films)]
        if path.is_dir():
            where = f"{path.resolve()}: " if str(path.resolve()) != self.value else ""
            below = f", {len(folders)} folders" if folders else ""
            self.help = f"{where}{photos:,} photos right there{below}"
        else:
            self.help = f"{path.stat().st_size / 1e6:,.1f} MB" if path.is_file() else ""

    def _missing(self, path: Path) -> str:
        if path.is_dir() or (path.is_file() and path.suffix.lower() in self._films):
            return ""
        if path.exists():
            return f"{path} is a file, and a folder is wanted."
        there = next((p for p in path.absolute().parents if p.is_dir()), Path("/"))
        lost = path.absolute().relative_to(there).parts[0]
        near = get_close_matches(lost, _look(there, self._films)[0], n=1)
        hint = f" Did you mean {there / near[0]}?" if near else ""
        return f"There is no {lost} in {there}.{hint}"


def _look(path: Path, films: Collection[str]) -> tuple[list[str], int, list[str]]:
    """List folders and films below a path, and count the photos right there."""
    folders, found, photos = [], [], 0
    try:
        with os.scandir(path) as entries:
            for entry, _ in zip(entries, range(MOST_LOOKED_AT), strict=False):
                suffix = Path(entry.name).suffix.lower()
                if entry.name.startswith("."):
                    continue
                if entry.is_dir():
                    folders.append(entry.name)
                elif suffix in films:
                    found.append(entry.name)
                else:
                    photos += suffix in PHOTO_SUFFIXES
    except OSError:  # no folder, or one that may not be read: there is nothing to list
        return [], 0, []
    return sorted(folders, key=str.casefold), photos, sorted(found, key=str.casefold)
