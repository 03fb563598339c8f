"""The command line's verb for merging.

Knows arguments and what goes to stdout. Must not know how a merge is done: the command is a call a
notebook could make as well. `add_to` puts it beside the other commands.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Any

import typer

from cupixgeo.errors import CloudError
from cupixgeo.terminal import progress_bars, say

STOPPED = 130


def add_to(app: typer.Typer) -> None:
    """Add the command to `app`."""
    app.command()(merge)


def there_or_address(name: str) -> str:
    """Refuse a name that is neither a file nor an http(s) address."""
    from cupixgeo.formats.opening import is_address

    if not is_address(name) and not Path(name).exists():
        raise typer.BadParameter(f"{name} does not exist.")
    return name


def _all_there(names: list[str]) -> list[str]:
    return [there_or_address(name) for name in names]


def merge(  # noqa: PLR0913  one option each, as in cupixgeo.merge
    inputs: Annotated[
        list[str],
        typer.Argument(help="Files to merge, or their addresses.", callback=_all_there),
    ],
    *,
    to: Annotated[
        str,
        typer.Option(
            help="Output, .laz, .las or .copc.laz; with --tile-m a folder or a bucket's address."
        ),
    ],
    crs: Annotated[str | None, typer.Option(help="CRS of the output, like EPSG:32650.")] = None,
    placements: Annotated[
        Path | None, typer.Option(help="JSON file saying where inputs belong.", exists=True)
    ] = None,
    scale: Annotated[
        float | None, typer.Option(help="Step of stored coordinates, CRS units.")
    ] = None,
    exact: Annotated[bool, typer.Option("--exact", help="Call PROJ for every point.")] = False,
    source_ids: Annotated[
        bool, typer.Option("--source-ids", help="Number the sources in point_source_id.")
    ] = False,
    assume: Annotated[
        list[str] | None, typer.Option(help="Declare what is not known, like CGCS2000='WGS 84'.")
    ] = None,
    bounds: Annotated[
        str | None,
        typer.Option(help="Only points in this box: WEST,SOUTH,EAST,NORTH in the output CRS."),
    ] = None,
    polygon: Annotated[
        Path | None,
        typer.Option(help="Only points in the polygons of this GeoJSON file, in the output CRS."),
    ] = None,
    classes: Annotated[
        str | None, typer.Option(help="Only these classes, like 2,6 or ground,building.")
    ] = None,
    returns: Annotated[
        str | None, typer.Option(help="Only these returns, like last or 1,2.")
    ] = None,
    spacing_m: Annotated[
        float | None, typer.Option(help="Only the first point in each cube of this edge, metres.")
    ] = None,
    drop_duplicates: Annotated[
        bool, typer.Option("--drop-duplicates", help="Only the first of equal points.")
    ] = False,
    resume: Annotated[
        bool,
        typer.Option(
            "--resume", help="Keep what is finished when stopped; the same command goes on from it."
        ),
    ] = False,
    tile_m: Annotated[
        float | None, typer.Option(help="Write a folder of square tiles of this edge, metres.")
    ] = None,
    workers: Annotated[
        int | None, typer.Option(help="Make tiles in so many processes at once.", min=1)
    ] = None,
    report_html: Annotated[
        Path | None, typer.Option(help="Also write a report page with pictures.")
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
) -> None:
    """Merge point clouds into one file in one CRS.

    Example: cupixgeo merge a.laz b.laz --to site.laz --crs EPSG:32650 --placements places.json
    """
    from cupixgeo.pipeline.merge import merge as merge_clouds
    from cupixgeo.pipeline.placements import read_placements
    from cupixgeo.pipeline.report_html import write_report
    from cupixgeo.pipeline.tiles.cluster import local_workers

    if workers is not None and tile_m is None:
        raise typer.BadParameter("--workers makes tiles: give --tile-m as well.")
    sources: list[Any] = list(inputs)
    area = _area(bounds, polygon)
    if placements is not None:
        sources = list(read_placements(placements, inputs))
    going_on = _told_how_to_go_on(resume=resume)
    with going_on, progress_bars() as progress, local_workers(workers) as client:
        report = merge_clouds(
            sources,
            to,
            crs=crs,
            scale=scale,
            exact=exact,
            source_ids=source_ids,
            assume=tuple(assume or ()),
            bounds=area,
            classes=_listed(classes),
            returns=_listed(returns),
            spacing_m=spacing_m,
            drop_duplicates=drop_duplicates,
            resume=resume,
            tile_m=tile_m,
            client=client,
            progress=progress,
        )
        if report_html is not None:
            write_report(report, report_html, progress=progress)
    typer.echo(json.dumps(report.to_dict(), indent=2) if as_json else str(report))


@contextmanager
def _told_how_to_go_on(*, resume: bool) -> Iterator[None]:
    """Say at Ctrl-C that a merge can be gone on with, where it can."""
    try:
        yield
    except KeyboardInterrupt:
        if not resume:
            raise
        say("Stopped. What was finished is kept; the same command goes on from it.")
        raise typer.Exit(STOPPED) from None


def _area(bounds: str | None, polygon: Path | None) -> Any:
    """Read a box or a polygon as the shell gives it."""
    if bounds is not None and polygon is not None:
        raise typer.BadParameter("give --bounds or --polygon, not both.")
    if bounds is not None:
        try:
            box = [float(value) for value in bounds.split(",")]
        except ValueError as error:
            raise typer.BadParameter(f"--bounds {bounds}: not numbers with commas.") from error
        if len(box) != 4:
            raise typer.BadParameter("--bounds takes WEST,SOUTH,EAST,NORTH: four numbers.")
        return box
    if polygon is None:
        return None
    try:
        return json.loads(polygon.read_bytes())
    except OSError as error:
        raise CloudError(
            f"cannot read the polygon {polygon}: {error.strerror}. Check the path."
        ) from error
    except ValueError as error:
        raise CloudError(f"{polygon} is not GeoJSON: {error}. Save it as GeoJSON again.") from error


def _listed(text: str | None) -> list[str] | None:
    return None if text is None else [part for part in text.split(",") if part.strip()]
