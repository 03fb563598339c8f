"""A loopback server that gives parts of a file, and counts what it gave."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path

from tests.net.conftest import Reply, Seen, Server


@dataclass
class RangedFile:
    """Answers range requests for one file as an object store does."""

    data: bytes
    etag: str | None = '"one"'
    modified: str | None = None
    served: int = 0
    ranges: list[tuple[int, int]] = field(default_factory=list)

    def __call__(self, seen: Seen) -> Reply:
        told = {"ETag": self.etag, "Last-Modified": self.modified}
        headers = {name: value for name, value in told.items() if value is not None}
        condition = seen.headers.get("if-range")
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", seen.headers.get("range", ""))
        if match is None or (condition is not None and condition != self.etag):
            self.served += len(self.data)
            return Reply(200, self.data, headers)
        first, last = int(match[1]), min(int(match[2]), len(self.data) - 1)
        if first > last:
            return Reply(416, b"", {**headers, "Content-Range": f"bytes */{len(self.data)}"})
        self.served += last - first + 1
        self.ranges.append((first, last))
        headers["Content-Range"] = f"bytes {first}-{last}/{len(self.data)}"
        return Reply(206, self.data[first : last + 1], headers)


def serve(server: Server, path: Path, *, name: str = "cloud.copc.laz") -> tuple[str, RangedFile]:
    """Serve a file; returns its address and the counter."""
    file = RangedFile(path.read_bytes())
    server.answer = file
    return f"{server.url}/{name}", file


@dataclass
class RangedFolder:
    """Answers for several files, by name; queries are not looked at."""

    files: dict[str, RangedFile] = field(default_factory=dict)

    def __call__(self, seen: Seen) -> Reply:
        file = self.files.get(seen.path.partition("?")[0].lstrip("/"))
        return Reply(404) if file is None else file(seen)

    @property
    def served(self) -> int:
        """Bytes given of all files."""
        return sum(file.served for file in self.files.values())


def serve_folder(server: Server, paths: list[Path]) -> RangedFolder:
    """Serve files under their names."""
    folder = RangedFolder({path.name: RangedFile(path.read_bytes()) for path in paths})
    server.answer = folder
    return folder
