"""A merge report as one page for people: pictures, tables and reasons, nothing loaded from outside.

Knows how a `MergeReport` reads on screen, on a phone and on paper. Must not know how the merge was
done, nor where its inputs came from beyond what the report says.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

import numpy as np
from pyproj import CRS

from cupixgeo.atomic import atomic_output
from cupixgeo.pipeline import markup
from cupixgeo.pipeline.figures import decimals
from cupixgeo.pipeline.quantities import accuracy, area, millimetres, size
from cupixgeo.pipeline.raster import TopView, density, read_top_view
from cupixgeo.pipeline.report import MergeReport, SourceReport
from cupixgeo.pipeline.report_pictures import pictures_section
from cupixgeo.pipeline.report_selection import selection_section
from cupixgeo.progress import ProgressFn


def write_report(
    report: MergeReport,
    to: str | os.PathLike[str],
    *,
    cloud: TopView | str | os.PathLike[str] | None = None,
    progress: ProgressFn | None = None,
) -> Path:
    """Write a merge report as a self-contained HTML page.

    Parameters
    ----------
    report : MergeReport
        What `merge` returned.
    to : path
        The page; replaced only when the new one is whole.
    cloud : TopView, path or None
        The merged cloud, for the pictures. None reads ``report.path`` where that file still is
        there, and leaves the pictures out where it is not.
    progress : callable or None
        Told while the cloud is read.

    Returns
    -------
    Path
        The page.

    Raises
    ------
    OutputError
        The page cannot be written.
    CloudError
        `cloud` cannot be read.
    """
    if cloud is None and Path(report.path).is_file():
        cloud = report.path
    view = cloud
    if view is not None and not isinstance(view, TopView):
        view = read_top_view(view, progress=progress)
    path = Path(to)
    with atomic_output(path) as partial:
        partial.write_text(report_page(report, view), encoding="utf-8")
    return path


def report_page(report: MergeReport, view: TopView | None) -> str:
    """Return the page as text.

    Parameters
    ----------
    report : MergeReport
        What `merge` returned.
    view : TopView or None
        The merged cloud from above; None for a page without pictures.
    """
    assets = files("cupixgeo.pipeline") / "assets"
    density_m2 = None if view is None else density(view)
    sections = [
        _notes(report),
        pictures_section(view, density_m2),
        _extent(report),
        _coordinates(report),
        _sources(report),
        selection_section(report),
        _precision(report),
        _attributes(report),
        _provenance(report),
    ]
    count = len(report.sources)
    lede = (
        f"{report.points_kept:,} points from {count} source{'' if count == 1 else 's'}, "
        f"in {report.crs}"
    )
    return Template((assets / "report.html").read_text("utf-8")).substitute(
        style=(assets / "report.css").read_text("utf-8"),
        name=escape(Path(report.path).name),
        lede=escape(lede),
        facts=_facts(report, view, density_m2),
        sections="\n".join(section for section in sections if section),
        version=escape(str(report.software.get("cupixgeo", ""))),
        created=escape(report.created),
    )


def _facts(report: MergeReport, view: TopView | None, density_m2: Any) -> str:
    """Headline figures."""
    if report.points_kept == report.points_in:
        kept = "all that were read"
    else:
        kept = f"of {report.points_in:,}"
    facts = [("Points", f"{report.points_kept:,}", kept)]
    if view is not None:
        facts += [
            ("Area covered", area(view.covered_m2), "seen from above"),
            ("Point density", f"{np.nanmedian(density_m2):,.3g}/m²", "median"),
        ]
    low, high = report.bounds
    across = " × ".join(f"{b - a:,.1f}" for a, b in zip(low, high, strict=True))
    facts += [
        ("Extent", across, "x, y, z in CRS units"),
        ("Operation accuracy", *_stated(report.accuracy_m)),
        ("Worst rounding", millimetres(report.quantisation_error_m), "of a coordinate"),
        (
            "Worst interpolation",
            millimetres(report.interpolation_error_m),
            "against PROJ" if report.interpolation_error_m else "PROJ for every point",
        ),
        ("File", size(report.bytes_out), f"{report.format} {report.version}"),
    ]
    return "\n".join(
        f"<div><dt>{name}</dt><dd>{escape(value)} <small>{escape(note)}</small></dd></div>"
        for name, value, note in facts
    )


def _stated(accuracy_m: float | None) -> tuple[str, str]:
    if accuracy_m is None:
        return "not stated", "by PROJ"
    return ("exact", "a pure conversion") if accuracy_m == 0 else (accuracy(accuracy_m), "by PROJ")


def _extent(report: MergeReport) -> str:
    rows = []
    for axis in range(3):
        low, high = report.bounds[0][axis], report.bounds[1][axis]
        places = decimals(report.scales[axis])
        numbers = [
            f"{low:.{places}f}",
            f"{high:.{places}f}",
            f"{high - low:.{places}f}",
            f"{report.scales[axis]:g}",
            f"{report.offsets[axis]:.{places}f}",
        ]
        rows.append([f"<th scope=row>{'xyz'[axis]}</th>", *map(markup.number, numbers)])
    table = markup.table(
        ["Axis", "Lowest", "Highest", "Extent", "Stored step", "Stored offset"],
        rows,
        numeric=range(1, 6),
    )
    return markup.section(
        "Bounds",
        "<p>Of the points written, in the units of the output CRS; x before y. Coordinates are "
        "stored as whole numbers of steps from the offset.</p>" + table,
    )


def _coordinates(report: MergeReport) -> str:
    """CRS, the operations that lead to it, what they rest on."""
    groups: dict[str, list[SourceReport]] = {}
    for source in report.sources:
        words = [_step_words(step) for step in source.operation.get("steps", ())]
        groups.setdefault(repr(words), []).append(source)
    parts = [
        f"<p><b>{escape(report.crs)}</b>. Stated accuracy of the coordinate operations: "
        f"{escape(accuracy(report.accuracy_m))}.</p>",
        markup.more("The CRS as WKT", [CRS.from_wkt(report.crs_wkt).to_wkt(pretty=True)]),
    ]
    if report.assumptions:
        parts.append(
            '<h3>Declared, not known</h3><div class="said">'
            + markup.bullets(report.assumptions)
            + "</div>"
        )
    parts.append("<h3>From each source to the output</h3>")
    parts += [_way(sources, alone=len(groups) == 1) for sources in groups.values()]
    return markup.section("Coordinates", "".join(parts))


def _way(sources: Sequence[SourceReport], *, alone: bool) -> str:
    """List the steps some sources share; their matrices and the PROJ definition on demand."""
    who = "All sources" if alone else markup.some([source.name for source in sources])
    steps = sources[0].operation.get("steps", ())
    items = "".join(
        f"<li>{escape(words)}{f'<br><small>{escape(note)}</small>' if note else ''}</li>"
        for words, note in map(_step_words, steps)
    )
    matrices = [
        f"{source.name}\n{_matrix(step['matrix'])}"
        for source in sources
        for step in source.operation.get("steps", ())
        if "matrix" in step
    ]
    definitions = [str(step["definition"]) for step in steps if "definition" in step]
    return (
        f'<p>{escape(who)}</p><ol class="steps">{items}</ol>'
        + markup.more("Placement matrices", matrices)
        + markup.more("PROJ definition", definitions)
    )


def _step_words(step: Mapping[str, Any]) -> tuple[str, str]:
    """One step of `Chain.to_dict` in words, and what is worth knowing of it."""
    if "matrix" in step:
        return f"Placement by the source's own matrix, to {step['target']}", ""
    notes = [f"accuracy: {accuracy(step.get('accuracy_m'))}"]
    if step.get("grids"):
        notes.append("grids " + ", ".join(step["grids"]))
    if step.get("missing_grids"):
        notes.append("done without the grids " + ", ".join(step["missing_grids"]))
    notes += step.get("notes", ())
    name = str(step.get("name", ""))
    return name[:1].upper() + name[1:], "; ".join(notes)


def _matrix(rows: Iterable[Iterable[float]]) -> str:
    return "\n".join("  ".join(f"{value:>20.12g}" for value in row) for row in rows)


def _sources(report: MergeReport) -> str:
    rows = [_source_row(i, s, report) for i, s in enumerate(report.sources, start=1)]
    foot = [
        "<td></td><th scope=row>Together</th><td></td>",
        markup.number(f"{report.points_kept:,}"),
        "<td></td>",
        markup.number(size(report.bytes_in)),
        "<td></td>",
        markup.number(f"{sum(s.seconds for s in report.sources):.1f}"),
    ]
    head = ["No.", "Source", "Format", "Points", "Share", "Size", "Frame of the file", "Time, s"]
    table = markup.table(head, rows, numeric=(3, 4, 5, 7), foot=foot)
    return markup.section("Sources", table + _where_from(report.sources))


def _source_row(number: int, source: SourceReport, report: MergeReport) -> list[str]:
    share = source.points_kept / max(1, report.points_kept)
    points = f"{source.points_kept:,}"
    if source.points_kept != source.points_in:
        points += f"<small>of {source.points_in:,}</small>"
    kind = source.format
    if source.point_format is not None:
        kind += f", format {source.point_format}"
    frame, _, why = source.crs.partition(", ")
    why = why.removeprefix(frame).strip(" ,;")
    return [
        f"<td>{number}</td>",
        f'<th scope=row class="path">{escape(source.name)}</th>',
        f'<td class="short">{escape(kind)}</td>',
        f'<td class="n">{points}</td>',
        f'<td class="n"><span class="share"><i style="width:{share:.1%}"></i></span>'
        f"{share:.1%}</td>",
        markup.number(size(source.bytes)),
        f'<td class="long">{escape(frame)}<small>{escape(why)}</small></td>',
        markup.number(f"{source.seconds:.1f}"),
    ]


def _where_from(sources: Sequence[SourceReport]) -> str:
    rows = []
    for source in sources:
        facts = "; ".join(
            f"{key.replace('_', ' ')}: {_listed(value)}"
            for key, value in source.provenance.items()
            if value not in (None, "", [], ())
        )
        rows.append([
            f'<th scope=row class="path">{escape(source.name)}</th>',
            f'<td class="path">{escape(source.path)}</td>',
            f"<td>{escape(facts)}</td>",
        ])  # fmt: skip
    table = markup.table(["Source", "Read from", "Provenance"], rows)
    return f"<details><summary>Where each source came from</summary>{table}</details>"


def _listed(value: Any) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list | tuple) else str(value)


def _precision(report: MergeReport) -> str:
    steps = sorted({f"{scale:g}" for scale in report.scales}, key=float)
    rounding = (
        f"Coordinates are stored in steps of {' and '.join(steps)} CRS units. The worst rounding "
        f"of a coordinate to that grid, measured over all points, is "
        f"{millimetres(report.quantisation_error_m)}."
    )
    if report.interpolation_error_m > 0:
        worst = max(report.sources, key=lambda s: s.interpolation_error_m)
        fitted = (
            "The coordinate operation was interpolated between exact PROJ results, and checked "
            f"against PROJ at points held out for it. The worst difference found is "
            f"{millimetres(worst.interpolation_error_m)} ({worst.name})."
        )
    else:
        fitted = "PROJ was called for every point; nothing was interpolated."
    return markup.section("Precision", f"<p>{escape(rounding)}</p><p>{escape(fitted)}</p>")


def _attributes(report: MergeReport) -> str:
    parts = []
    if report.attributes_kept:
        items = "".join(f"<li>{escape(name)}</li>" for name in report.attributes_kept)
        parts.append(f'<h3>Kept as they were</h3><ul class="chips">{items}</ul>')
    for title, changes in (
        ("Converted", report.attributes_converted),
        ("Dropped", report.attributes_dropped),
    ):
        if changes:
            rows = [
                [f"<th scope=row>{escape(name)}</th>", f"<td>{escape(why)}</td>"]
                for name, why in changes.items()
            ]
            parts.append(f"<h3>{title}</h3>" + markup.table(["Attribute", "How and why"], rows))
        else:
            parts.append(f"<p>None was {title.lower()}.</p>")
    return markup.section("Attributes", "".join(parts))


def _provenance(report: MergeReport) -> str:
    facts = {
        "File": report.path,
        "Format": f"{report.format} {report.version}, point format {report.point_format}",
        "Made": report.created,
        "Wall time": f"{report.seconds:.1f} s",
        "Read": f"{size(report.bytes_in)} in {len(report.sources)} files",
        "Written": size(report.bytes_out),
    } | dict(report.software)
    rows = [
        [f"<th scope=row>{escape(name)}</th>", f'<td class="path">{escape(str(value))}</td>']
        for name, value in facts.items()
    ]
    return markup.section("Provenance", markup.table([], rows))


def _notes(report: MergeReport) -> str:
    if not report.notes:
        return ""
    return markup.section(
        "Worth knowing", f'<div class="said">{markup.bullets(report.notes)}</div>'
    )
