"""Unpacking an archive that somebody else made.

Knows zip. Looks at every member before the first byte is written, refuses the whole archive for one
bad member, writes into a folder of its own and gives it its name when all is there and every
checksum is right. Must not know what the members are.

Sources: PKWARE APPNOTE 6.3.10 §4.4.17 (file names), §4.4.4 (bit 0: encryption); D. Fifield, *A
better zip bomb*, WOOT 2019 (overlapping members); Microsoft, *Naming Files, Paths, and Namespaces*
(reserved names).
"""

from __future__ import annotations

import os
import re
import secrets
import shutil
import stat
import unicodedata
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from cupixgeo.atomic import output_error
from cupixgeo.errors import ArchiveError, DiskFullError, OutputError
from cupixgeo.progress import Progress, ProgressFn

_RESERVED = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³])(\..*)?", re.IGNORECASE)
_FORBIDDEN = re.compile(r'[\x00-\x1f\x7f<>:"|?*\\]')
_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_METHODS = frozenset({zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED})


@dataclass(frozen=True)
class UnpackLimits:
    """How much an archive may hold.

    Parameters
    ----------
    members : int
        Members at most.
    total_bytes : int
        Unpacked size at most [byte]. The free space of the disk is a limit as well.
    ratio : float
        Unpacked to packed size at most, for the archive and for each member.
    small_bytes : int
        Size [byte] below which the ratio does not matter: empty rasters pack very well.
    name_length : int
        Characters of a path at most.
    """

    members: int = 500_000
    total_bytes: int = 2 * 2**40
    ratio: float = 200.0
    small_bytes: int = 64 * 2**20
    name_length: int = 240


def unpack(
    archive: Path,
    to: Path,
    *,
    limits: UnpackLimits | None = None,
    progress: ProgressFn | None = None,
) -> Path:
    """Unpack a zip into a folder that appears whole or not at all.

    Parameters
    ----------
    archive : Path
        The zip.
    to : Path
        The folder; its parent must exist. A folder of that name is replaced once the new one is
        whole.
    limits : UnpackLimits
        Against bombs.
    progress : callable
        Watcher; stage ``"unpack"``, unit ``"bytes"``.

    Returns
    -------
    Path
        `to`.

    Raises
    ------
    ArchiveError
        If it is no zip, is broken, or a member has an absolute name, ``..``, a drive letter, a
        name no system can have, is a link or encrypted, collides with another one regardless of
        case, overlaps it, fails its checksum, or unpacks to too much.
    OutputError, DiskFullError
        If it cannot be written.
    """
    limits = limits or UnpackLimits()
    partial = to.with_name(f".{to.name}.{secrets.token_hex(4)}.partial")
    try:
        with _opened(archive) as bundle:
            names = _checked_members(bundle, archive, limits)
            total = sum(info.file_size for info, _ in names)
            _check_room(total, to)
            partial.mkdir()
            done = 0

            def moved(count: int) -> None:
                nonlocal done
                done += count
                if progress is not None:
                    progress(Progress("unpack", done, total, "bytes", archive.name))

            for info, name in names:
                _write_member(bundle, info, partial / name, archive, moved)
        _put_in_place(partial, to)
    except OSError as error:
        if isinstance(error, OutputError):
            raise
        raise output_error(error, to) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)
    return to


def safe_name(name: str, taken: set[str] | None = None) -> str:
    """Make a file name of whatever a server calls something.

    Parameters
    ----------
    name : str
        Anything, folders included.
    taken : set of str
        Names in lower case that are in use; the new one is added.

    Returns
    -------
    str
        Letters, digits and ``. _ - ( )`` and blanks, no folders, not hidden, at most 120 long, not
        reserved, and not in `taken`.

    Examples
    --------
    >>> safe_name("../../etc/passwd")
    'passwd'
    >>> safe_name("a.laz", {"a.laz"})
    'a-2.laz'
    """
    last = re.split(r"[/\\]", unicodedata.normalize("NFC", name).rstrip("/\\ "))[-1]
    plain = re.sub(r"[^\w .()-]", "_", last).strip(" .")[-120:].lstrip(" .") or "file"
    if _RESERVED.fullmatch(plain):
        plain = f"_{plain}"
    stem, dot, suffix = plain.partition(".")
    candidate, number = plain, 1
    while taken is not None and candidate.casefold() in taken:
        number += 1
        candidate = f"{stem}-{number}{dot}{suffix}"
    if taken is not None:
        taken.add(candidate.casefold())
    return candidate


def _opened(archive: Path) -> zipfile.ZipFile:
    try:
        return zipfile.ZipFile(archive)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, zlib.error) as error:
        raise ArchiveError(
            f"{archive} is not a whole zip ({error}): get it again; nothing was unpacked."
        ) from error


def _checked_members(
    bundle: zipfile.ZipFile, archive: Path, limits: UnpackLimits
) -> list[tuple[zipfile.ZipInfo, PurePosixPath]]:
    """Look at all members; give the files and their checked names."""
    infos = bundle.infolist()
    if len(infos) > limits.members:
        raise _refused(archive, f"it has {len(infos)} members, more than {limits.members}")
    _check_sizes(infos, archive, limits)
    seen: dict[str, str] = {}
    folders: dict[str, str] = {}
    files = []
    for info in infos:
        path = _checked_name(info, archive, limits)
        if path is None:
            continue
        if not info.is_dir():
            files.append((info, path))
            _claim(seen, folders, path, archive)
        for parent in path.parents if not info.is_dir() else (path, *path.parents):
            key = _folded(parent)
            if key in seen or folders.setdefault(key, str(parent)) != str(parent):
                raise _refused(archive, f"{str(path)!r} collides with another member")
    return files


def _claim(
    seen: dict[str, str], folders: dict[str, str], path: PurePosixPath, archive: Path
) -> None:
    key = _folded(path)
    if key in seen or key in folders:
        other = seen.get(key) or folders[key]
        raise _refused(archive, f"{str(path)!r} and {other!r} are one name on many systems")
    seen[key] = str(path)


def _checked_name(
    info: zipfile.ZipInfo, archive: Path, limits: UnpackLimits
) -> PurePosixPath | None:
    """Refuse what could leave the folder, or mean another file than it says."""
    name = info.orig_filename
    kind = stat.S_IFMT(info.external_attr >> 16)
    problem = ""
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        problem = "is a link or a device"
    elif info.flag_bits & _ENCRYPTED:
        problem = "is encrypted"
    elif info.compress_type not in _METHODS:
        problem = f"is packed in a way that is not read here (method {info.compress_type})"
    elif name.startswith("/") or re.match(r"[A-Za-z]:", name):
        problem = "has an absolute name"
    elif ".." in name.replace("\\", "/").split("/"):
        problem = "leads out of the folder"
    elif _FORBIDDEN.search(name) or len(name) > limits.name_length:
        problem = "has a name that cannot be used everywhere"
    else:
        parts = [part for part in name.split("/") if part not in ("", ".")]
        if any(_RESERVED.fullmatch(part) or part.endswith((" ", ".")) for part in parts):
            problem = "has a name that some systems keep for themselves"
        elif not parts:
            return None
        else:
            return PurePosixPath(unicodedata.normalize("NFC", "/".join(parts)))
    raise _refused(archive, f"its member {name[:100]!r} {problem}")


def _check_sizes(infos: list[zipfile.ZipInfo], archive: Path, limits: UnpackLimits) -> None:
    """Refuse bombs: by total, by ratio, and by members that share bytes."""
    packed_all = archive.stat().st_size
    unpacked_all = sum(info.file_size for info in infos)
    if unpacked_all > limits.total_bytes:
        raise _refused(
            archive, f"it unpacks to {unpacked_all} bytes, more than {limits.total_bytes}"
        )
    sizes = [(info.filename, info.file_size, info.compress_size) for info in infos]
    for name, unpacked, packed in (*sizes, ("as a whole", unpacked_all, packed_all)):
        if unpacked > limits.small_bytes and unpacked > limits.ratio * max(packed, 1):
            raise _refused(
                archive,
                f"{name!r} unpacks to {unpacked} bytes from {packed}, as bombs do",
            )
    at = 0
    for info in sorted(infos, key=lambda info: info.header_offset):
        if info.header_offset < at:
            raise _refused(archive, f"its member {info.filename!r} overlaps another one")
        at = info.header_offset + 30 + len(info.orig_filename) + info.compress_size
    if at > packed_all:
        raise _refused(archive, "its members are larger than itself")


def _check_room(total: int, to: Path) -> None:
    free = shutil.disk_usage(to.parent).free
    if total > free:
        raise DiskFullError(
            f"{to} needs {total} bytes and the disk has {free} left. Free some space, or choose a "
            "folder on another disk."
        )


def _write_member(
    bundle: zipfile.ZipFile,
    info: zipfile.ZipInfo,
    path: Path,
    archive: Path,
    moved: Callable[[int], None],
) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    try:
        with bundle.open(info) as source, path.open("xb") as target:
            while chunk := source.read(_CHUNK):
                written += len(chunk)
                if written > info.file_size:
                    break
                target.write(chunk)
                moved(len(chunk))
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise ArchiveError(
            f"{archive}: its member {info.filename!r} is broken ({error}). Get the archive again; "
            "nothing was unpacked."
        ) from error
    if written != info.file_size:
        raise _refused(archive, f"its member {info.filename!r} is not as long as it says")


def _put_in_place(partial: Path, to: Path) -> None:
    """Give the folder its name; an older one goes once the new one stands."""
    old = partial.with_name(partial.name + ".old")
    if to.exists():
        os.replace(to, old)
    os.replace(partial, to)
    if old.is_dir():
        shutil.rmtree(old, ignore_errors=True)
    else:
        old.unlink(missing_ok=True)


def _folded(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()


def _refused(archive: Path, why: str) -> ArchiveError:
    return ArchiveError(
        f"{archive} was not unpacked: {why}. It is not safe, or not what it should be: get it "
        "again, and report it to the service."
    )
