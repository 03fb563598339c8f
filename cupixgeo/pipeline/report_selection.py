"""The part of a report page that says which points were asked for, and what was left out.

Must not know how points are chosen.
"""

from __future__ import annotations

from collections.abc import Mapping
from html import escape
from typing import Any

from cupixgeo.formats.las.classes import CLASS_CODES
from cupixgeo.pipeline import markup
from cupixgeo.pipeline.quantities import length
from cupixgeo.pipeline.report import MergeReport
from cupixgeo.pipeline.selection import (
    DUPLICATE,
    OTHER_CLASS,
    OTHER_RETURN,
    OUTSIDE,
    RULES,
    THINNED,
)

_TITLES = {
    OUTSIDE: "Outside",
    OTHER_CLASS: "Other class",
    OTHER_RETURN: "Other return",
    DUPLICATE: "Met before",
    THINNED: "Thinned",
}


def selection_section(report: MergeReport) -> str:
    """Make the section, finished markup; nothing where all points were wanted."""
    if not report.selection:
        return ""
    rules = [rule for rule in RULES if rule in report.removed]
    rows = [
        [
            f'<th scope=row class="path">{escape(source.name)}</th>',
            markup.number(f"{source.points_in:,}"),
            *(markup.number(f"{source.removed.get(rule, 0):,}") for rule in rules),
            markup.number(f"{source.points_kept:,}"),
        ]
        for source in report.sources
    ]
    foot = [
        "<th scope=row>Together</th>",
        markup.number(f"{report.points_in:,}"),
        *(markup.number(f"{report.removed[rule]:,}") for rule in rules),
        markup.number(f"{report.points_kept:,}"),
    ]
    head = ["Source", "In the file", *(_TITLES[rule] for rule in rules), "Written"]
    table = markup.table(head, rows, numeric=range(1, len(head)), foot=foot)
    return markup.section(
        "Selection",
        markup.bullets(_asked(report.selection))
        + "<p>Points by what became of them; each counts once, for the first rule it fails.</p>"
        + table,
    )


def _asked(selection: Mapping[str, Any]) -> list[str]:
    """Say what was asked for, one sentence each."""
    texts = []
    if "bounds" in selection:
        bounds = selection["bounds"]
        shape = "in the box" if not bounds["polygons"] else "in a polygon within the box"
        corners = (
            ", ".join("open" if v is None else f"{v:.12g}" for v in bounds[key])
            for key in ("low", "high")
        )
        texts.append(f"Points {shape} from {' to '.join(corners)} (x, y, z in the output CRS).")
    if "classes" in selection:
        names = {code: name for name, code in CLASS_CODES.items()}
        classes = (f"{code} ({names[code]})" if code in names else str(code) for code in
                   selection["classes"])  # fmt: skip
        texts.append(f"Points of the classes {', '.join(classes)}.")
    if "returns" in selection:
        texts.append(f"Returns: {', '.join(map(str, selection['returns']))}.")
    if "spacing_m" in selection:
        texts.append(
            f"One point, the first, in each cube of {length(selection['spacing_m'])}; sources "
            "named first win."
        )
    if selection.get("drop_duplicates"):
        texts.append(
            "The first of points with the same stored coordinates, GPS time, return number and "
            "scanner channel."
        )
    return texts
