"""Pages opened in a real browser that reaches nothing but files and data addresses."""

from __future__ import annotations

import io
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import PIL.Image

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = (
    "--no-sandbox",  # the sandbox cannot be used as root
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-sync",
    "--no-first-run",
    "--use-gl=angle",
    "--use-angle=swiftshader",  # WebGL in software, the same on every machine
    "--enable-unsafe-swiftshader",
)


@dataclass
class OpenPage:
    """A page, what it asked for, and what it complained of."""

    page: Any
    asked: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def assert_quiet(self) -> None:
        """Nothing outside was asked for, and nothing went wrong."""
        outside = [url for url in self.asked if not url.startswith(("file:", "data:"))]
        assert not outside, f"asked for {outside}"
        assert sum(url.startswith("file:") for url in self.asked) == 1, "more than the page itself"
        assert not self.complaints

    def picture(self, **options: Any) -> np.ndarray:
        """Screenshot, shape (rows, columns, 3)."""
        png = self.page.screenshot(**options)
        return np.asarray(PIL.Image.open(io.BytesIO(png)).convert("RGB"))


def distinct_colours(picture: np.ndarray) -> int:
    """Colours in a picture; a blank one has one."""
    red, green, blue = np.moveaxis(picture.astype(np.int32), -1, 0)
    return len(np.unique(red * 65_536 + green * 256 + blue))


def open_page(context: Any, path: Path) -> OpenPage:
    """Open a file with every other address refused and recorded."""
    opened = OpenPage(context.new_page())
    page = opened.page
    page.route(lambda url: not url.startswith(("file:", "data:")), lambda route: route.abort())
    page.on("request", lambda request: opened.asked.append(request.url))
    page.on("pageerror", lambda error: opened.complaints.append(str(error)))
    page.on(
        "console",
        lambda message: (
            message.type in {"error", "warning"} and opened.complaints.append(message.text)
        ),
    )
    page.goto(path.as_uri())
    return opened
