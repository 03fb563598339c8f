"""Collecting what a finished job made: inventory, checked downloads, unpacking, kinds.

Knows products and folders. Names from a service never choose a path. Must not know any service.
"""

from __future__ import annotations

import hashlib
import shutil
import zipfile
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from cupixgeo.errors import (
    ArchiveError,
    ArgumentError,
    DiskFullError,
    EmptyCloudError,
    OutputError,
    TransferError,
)
from cupixgeo.progress import ProgressFn
from cupixgeo.services.driver import JobDriver
from cupixgeo.services.job_record import LedgerRecord
from cupixgeo.services.job_values import Product
from cupixgeo.services.products import KINDS, classify, kind_of_name, kind_of_ply
from cupixgeo.services.tables import INTEGER, TEXT, Column, TableSchema
from cupixgeo.services.unpack import safe_name, unpack

if TYPE_CHECKING:
    import xarray as xr

    from cupixgeo.geodesy.crs import CrsLike

INVENTORY = TableSchema(
    "products",
    (
        Column("name", TEXT, meaning="name at the service"),
        Column("kind", TEXT, meaning="what it is"),
        Column("bytes", INTEGER, "byte", "size, where the service tells it"),
    ),
)
FILES = TableSchema(
    "files",
    (
        Column("name", TEXT, meaning="path in the folder of results"),
        Column("kind", TEXT, meaning="what it is"),
        Column("bytes", INTEGER, "byte", "size"),
        Column("product", TEXT, meaning="the product it came with"),
        Column("path", TEXT, meaning="where it is"),
    ),
)
_OPENED_FIRST = (".laz", ".las", ".ply")


@dataclass(frozen=True)
class ResultFile:
    """One file of a job's results.

    Parameters
    ----------
    path : Path
        Where it is.
    name : str
        Path in the folder of results, with ``/``.
    kind : str
        One of `cupixgeo.services.products.KINDS`.
    bytes : int
        Size [byte].
    product : str
        Name of the product it came with.
    root : Path
        Folder of that product, once unpacked.
    """

    path: Path
    name: str
    kind: str
    bytes: int
    product: str
    root: Path


@dataclass(frozen=True)
class Results:
    """What was collected of a job, on disk.

    Parameters
    ----------
    job_id : str
        Which job.
    folder : Path
        Where it is.
    files : tuple of ResultFile
        All files, archives unpacked.
    """

    job_id: str
    folder: Path
    files: tuple[ResultFile, ...]
    _crs_of: Callable[[ResultFile], CrsLike | None] = field(repr=False, compare=False)

    @property
    def table(self) -> pd.DataFrame:
        """The files, one row each: name, kind, bytes, product, path."""
        rows = [
            {
                "name": file.name,
                "kind": file.kind,
                "bytes": file.bytes,
                "product": file.product,
                "path": str(file.path),
            }
            for file in self.files
        ]
        return FILES.to_frame(rows)

    def of(self, kind: str) -> list[Path]:
        """Give the files of a kind.

        Raises
        ------
        ArgumentError
            If there is no such kind.
        """
        if kind not in KINDS:
            raise ArgumentError(f"there is no kind {kind!r} of products; there are {list(KINDS)}.")
        return [file.path for file in self.files if file.kind == kind]

    def open_pointcloud(self, name: str | None = None) -> xr.Dataset:
        """Open a point cloud with the CRS it was made in.

        Parameters
        ----------
        name : str or None
            Name of the file as in `table`, or the end of it; None takes the LAZ, LAS or PLY that
            is there, the largest where there are several.

        Returns
        -------
        xarray.Dataset
            As `cupixgeo.open`.

        Raises
        ------
        EmptyCloudError
            If there is no point cloud that can be read.
        ArgumentError
            If `name` fits none, or several.
        """
        from cupixgeo.formats.registry import open_cloud

        chosen = self._pointcloud(name)
        return open_cloud(chosen.path, crs=self._crs_of(chosen))

    def crs_of(self, path: Path) -> CrsLike | None:
        """Say which CRS a file of the results is in; None where the file itself says it.

        Raises
        ------
        ArgumentError
            If it is none of the files.
        """
        found = next((file for file in self.files if file.path == path), None)
        if found is None:
            raise ArgumentError(f"{path} is no file of the results of job {self.job_id}.")
        return self._crs_of(found)

    def __repr__(self) -> str:
        kinds = ", ".join(f"{len(self.of(kind))} {kind}" for kind in KINDS if self.of(kind))
        return f"<Results of job {self.job_id} in {self.folder}: {kinds or 'nothing'}>"

    def _repr_html_(self) -> str:
        return str(self.table.to_html(columns=["name", "kind", "bytes"]))

    def _pointcloud(self, name: str | None) -> ResultFile:
        from cupixgeo.formats.registry import can_open

        clouds = [f for f in self.files if f.kind == "pointcloud" and can_open(f.path)]
        if name is not None:
            fitting = [file for file in clouds if f"/{file.name}".endswith(f"/{name.strip('/')}")]
            if len(fitting) == 1:
                return fitting[0]
            raise ArgumentError(
                f"{len(fitting)} point clouds of job {self.job_id} are called {name!r}; there are "
                f"{[file.name for file in clouds]}."
            )
        if not clouds:
            raise EmptyCloudError(
                f"job {self.job_id} made no point cloud that can be read here: {self!r}. Ask for "
                "one with products= when you plan the job."
            )
        order = {suffix: number for number, suffix in enumerate(_OPENED_FIRST)}
        return min(clouds, key=lambda f: (order.get(f.path.suffix.lower(), 9), -f.bytes, f.name))


def inventory_table(products: Sequence[Product]) -> pd.DataFrame:
    """Make the table of what can be fetched."""
    rows = [{"name": p.name, "kind": p.kind, "bytes": p.bytes} for p in products]
    return INVENTORY.to_frame(rows)


class Collector:
    """Fetch products of a finished job into a folder.

    Parameters
    ----------
    record : LedgerRecord
        The job.
    driver : JobDriver
        Its service's driver.
    progress : callable
        Watcher; stages ``"download"`` and ``"unpack"``.
    """

    def __init__(
        self, record: LedgerRecord, driver: JobDriver, *, progress: ProgressFn | None = None
    ) -> None:
        self._record = record
        self._driver = driver
        self._progress = progress

    def collect(self, to: Path, kinds: Collection[str] | None = None) -> Results:
        """Fetch what is not there yet, archives unpacked.

        Parameters
        ----------
        to : Path
            Folder; made if its parent exists.
        kinds : collection of str or None
            Kinds of products to fetch, None for all. An archive is fetched whatever its members.

        Raises
        ------
        ArgumentError
            If there is no such kind.
        TransferError, ArchiveError, OutputError, ServiceError
            If something cannot be fetched, unpacked or written.
        """
        unknown = set(kinds or ()) - KINDS.keys()
        if unknown:
            raise ArgumentError(f"there is no kind {unknown.pop()!r}; there are {list(KINDS)}.")
        products = [
            product
            for product in self._driver.products(self._record)
            if kinds is None or product.kind in {*kinds, "archive"}
        ]
        to = to.expanduser().absolute()
        _make_folder(to, sum(product.bytes or 0 for product in products))
        taken: set[str] = set()
        files: list[ResultFile] = []
        for product in products:
            is_archive = product.kind == "archive"
            name = product.name.removesuffix(".zip") if is_archive else product.name
            path = self._fetched(product, to / safe_name(name, taken))
            found = [
                file
                for file in _listed(path, product, to)
                if kinds is None or file.kind in kinds or product.kind != "archive"
            ]
            files += found
        self._record.ledger.update(self._record.id, None, folder=str(to))
        return Results(self._record.id, to, tuple(files), self.crs_of)

    def read_again(self, folder: Path) -> Results | None:
        """Give the results that were collected into a folder before; None where it is gone."""
        rows = self._record.ledger.database.read(
            "SELECT path FROM fetched WHERE job = ?", self._record.id
        )
        paths = sorted(Path(row["path"]) for row in rows)
        here = [path for path in paths if path.parent == folder and path.exists()]
        files = [f for path in here for f in _listed(path, Product(path.name, "other"), folder)]
        return Results(self._record.id, folder, tuple(files), self.crs_of) if files else None

    def crs_of(self, file: ResultFile) -> CrsLike | None:
        """Ask the driver for the CRS of a file; None where the file itself says it."""
        return self._driver.crs_of(self._record, file.path, file.root)

    def _fetched(self, product: Product, final: Path) -> Path:
        """Give the file or unpacked folder of a product, fetched now or earlier."""
        if self._is_there(final):
            return final
        is_archive = product.kind == "archive"
        path = final.with_name(f".{final.name}.zip") if is_archive else final
        got = self._driver.fetch(self._record, product, path, progress=self._progress)
        size = got.stat().st_size
        if product.bytes is not None and size != product.bytes:
            got.unlink()
            raise TransferError(
                f"{product.name} has {size} bytes and should have {product.bytes}: it was not "
                "kept. Collect the results again."
            )
        if is_archive:
            if not zipfile.is_zipfile(got):
                got.unlink()
                raise ArchiveError(
                    f"{product.name} should be a zip and is none; it was not kept. Collect the "
                    "results again; if it happens again, report it to the service."
                )
            unpack(got, final, progress=self._progress)
            got.unlink()
        elif got != final:
            final = got
        self._remember(final)
        return final

    def _is_there(self, path: Path) -> bool:
        """Say whether a product was fetched earlier and is as it was then."""
        rows = self._record.ledger.database.read(
            "SELECT size, sha256 FROM fetched WHERE job = ? AND path = ?",
            self._record.id,
            str(path),
        )
        return bool(rows) and path.exists() and (rows[0][0], rows[0][1]) == _state_of(path)

    def _remember(self, path: Path) -> None:
        with self._record.ledger.database.writing() as connection:
            connection.execute(
                "INSERT OR REPLACE INTO fetched VALUES (?, ?, ?, ?)",
                (self._record.id, str(path), *_state_of(path)),
            )


def _listed(path: Path, product: Product, to: Path) -> Iterable[ResultFile]:
    root = path if path.is_dir() else path.parent
    pairs = classify(path) if path.is_dir() else [(path, _kind_of_file(path, product.kind))]
    for file, kind in pairs:
        name = file.relative_to(to).as_posix()
        yield ResultFile(file, name, kind, file.stat().st_size, product.name, root)


def _kind_of_file(path: Path, said: str) -> str:
    """Tell the kind of one file: what its content shows, else what was said of it."""
    if path.suffix.lower() == ".ply":
        return kind_of_ply(path)
    return kind_of_name(path.name) if said == "other" else said


def _make_folder(to: Path, needed: int) -> None:
    try:
        to.mkdir(exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder {to} for the results cannot be made ({error.strerror}). Choose another."
        ) from error
    free = shutil.disk_usage(to).free
    if needed > free:
        raise DiskFullError(
            f"the results need {needed} bytes and the disk of {to} has {free} left. Free some "
            "space, or choose a folder on another disk."
        )


def _state_of(path: Path) -> tuple[int, str]:
    """Give size [byte] and hash of a file, or of a folder's list of names and sizes."""
    total = hashlib.sha256()
    if path.is_dir():
        size = 0
        for file in sorted(path.rglob("*")):
            if file.is_file():
                size += file.stat().st_size
                total.update(
                    f"{file.relative_to(path).as_posix()}\0{file.stat().st_size}\n".encode()
                )
        return size, total.hexdigest()
    with path.open("rb") as stream:
        while chunk := stream.read(1 << 20):
            total.update(chunk)
    return path.stat().st_size, total.hexdigest()
