"""The errors every format raises in the same words: a file that cannot be read, or not be true.

Must not know any format.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from cupixgeo.cloud.schema import CloudInfo
from cupixgeo.errors import CloudError, CorruptFileError

GET_AGAIN = "Get the file again from its source, or repair it with the program that wrote it."


def unreadable(path: Path, error: OSError) -> CloudError:
    """Turn the system's error about `path` into ours, naming the file and the remedy."""
    if path.is_dir():
        return CloudError(f"{path} is a folder, not a point cloud. Give the name of a file in it.")
    if isinstance(error, FileNotFoundError):
        where = (
            f"in {path.parent.resolve()}"
            if path.parent.is_dir()
            else f"and no folder {path.parent} either"
        )
        return CloudError(f"there is no file {path.name} {where}. Check the path.")
    denied = isinstance(error, PermissionError)
    remedy = "Ask its owner for the right to read it" if denied else "Check the disk it is on"
    return CloudError(f"cannot read {path}: {error.strerror or error}. {remedy}.")


def corrupt(path: Path, fact: str, remedy: str = GET_AGAIN) -> CorruptFileError:
    """Make the error for a file that contradicts itself, or its own size."""
    return CorruptFileError(f"{path}: {fact}. {remedy}")


def check_columns(info: CloudInfo, columns: Iterable[str] | None) -> None:
    """Refuse a request for attributes the file does not have.

    Raises
    ------
    CloudError
        Naming the attribute and what there is.
    """
    for name in columns or ():
        if name not in info.attribute_names:
            raise CloudError(
                f"{info.path} has no attribute {name!r}. It has: "
                f"{', '.join(info.attribute_names) or 'none'}."
            )
