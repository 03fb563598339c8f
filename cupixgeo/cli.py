"""The command line: the toolkit's verbs, for a shell.

Knows arguments, exit codes and what goes to stdout. Must not know how anything is done: each
command is a call a notebook could make as well.

Exit codes: 0 done, 1 the job failed (one line on stderr), 2 bad usage, 130 stopped by Ctrl-C.
"""

from __future__ import annotations

import json
import sys
import traceback
import warnings
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from cupixgeo import cli_jobs, cli_merge
from cupixgeo.errors import ArgumentError, CupixGeoError, CupixGeoWarning
from cupixgeo.terminal import print_facts, print_frame, progress_bars, say

FAILED, MISUSED, STOPPED = 1, 2, 130
_STOPPED_HOW = {
    "download": "Stopped. What arrived of a download is kept; the same command continues it.",
    "demo": "Stopped. Files that were finished are kept, half ones are not.",
}


class _Commands(TyperGroup):
    """All commands, with the one place where failures become exit codes."""

    def invoke(self, ctx: Any) -> Any:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("always", CupixGeoWarning)
                warnings.showwarning = _tell_warning
                return super().invoke(ctx)
        except CupixGeoError as error:
            if ctx.params.get("debug"):
                traceback.print_exc()
            say("cupixgeo: " + " ".join(str(error).split()))
            raise typer.Exit(MISUSED if isinstance(error, ArgumentError) else FAILED) from error
        except KeyboardInterrupt as error:
            how = _STOPPED_HOW.get(ctx.invoked_subcommand, "Stopped; nothing was kept.")
            say(str(error) or how)
            raise typer.Exit(STOPPED) from error


def _tell_warning(message: Warning | str, *where: Any, **more: Any) -> None:
    say("cupixgeo: warning: " + " ".join(str(message).split()))


app = typer.Typer(
    cls=_Commands,
    name="cupixgeo",
    help="Point clouds from reality-capture clouds: list, place, reproject, merge, look.",
    epilog="Start with: cupixgeo demo",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


class TableFormat(StrEnum):
    """Ways to print a table."""

    table = "table"
    csv = "csv"
    json = "json"


class What(StrEnum):
    """Tables of a service."""

    pointclouds = "pointclouds"
    facilities = "facilities"
    levels = "levels"
    records = "records"
    captures = "captures"
    clusters = "clusters"
    panos = "panos"


Service = Annotated[str, typer.Argument(help="Name of the service: cupix.", show_default=False)]
BaseUrl = Annotated[
    str | None, typer.Option(help="Full API root, for example of a running emulator.")
]
Region = Annotated[str | None, typer.Option(help="Region of the service, instead of --base-url.")]
Token = Annotated[
    str | None,
    typer.Option(help="API token. Better kept in CUPIX_TOKEN or the system keyring."),
]


def main() -> None:
    """Run the command line; ``--debug`` may stand anywhere."""
    arguments = sys.argv[1:]
    if "--debug" in arguments:
        arguments = ["--debug", *(a for a in arguments if a != "--debug")]
    app(args=arguments, prog_name="cupixgeo")


def _print_version(asked: bool) -> None:
    if asked:
        from cupixgeo import __version__

        typer.echo(f"cupixgeo {__version__}")
        raise typer.Exit


@app.callback()
def options(
    *,
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_print_version, is_eager=True, help="Print the version."
        ),
    ] = False,
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
) -> None:
    """Point clouds from reality-capture clouds: list, place, reproject, merge, look."""


@app.command()
def demo(
    *,
    out: Annotated[Path, typer.Option(help="Folder for what is made.")] = Path("cupixgeo-demo"),
) -> None:
    """Run the whole way on real data: no account, no network.

    An emulated Cupix service holds a drone survey cut into pieces; they are listed, placed,
    reprojected and merged into one file, with a map and a report.
    """
    from cupixgeo.demo import run_demo

    with progress_bars() as progress:
        result = run_demo(out, progress=progress)
    typer.echo(str(result))


@app.command("list")
def list_table(  # noqa: PLR0913  one option each
    service: Service,
    *,
    what: Annotated[What, typer.Option(help="Which table.")] = What.pointclouds,
    facility_key: Annotated[str | None, typer.Option(help="Only of this facility.")] = None,
    record_id: Annotated[int | None, typer.Option(help="Only of this record.")] = None,
    capture_id: Annotated[int | None, typer.Option(help="Only of this capture.")] = None,
    cluster_id: Annotated[int | None, typer.Option(help="Only of this cluster.")] = None,
    pointcloud_type: Annotated[
        str | None, typer.Option(help="Only uploaded or 3d_reconstructed.")
    ] = None,
    format: Annotated[TableFormat, typer.Option(help="How to print it.")] = TableFormat.table,
    base_url: BaseUrl = None,
    region: Region = None,
    token: Token = None,
) -> None:
    """List what a service holds.

    Example: cupixgeo list cupix --record-id 602 --format csv
    """
    filters = {
        "facility_key": facility_key,
        "record_id": record_id,
        "capture_id": capture_id,
        "cluster_id": cluster_id,
        "pointcloud_type": pointcloud_type,
    }
    given = {name: value for name, value in filters.items() if value is not None}
    with _account(service, base_url, region, token) as account:
        table = getattr(account, what.value)
        _refuse_foreign_filters(table, what, given)
        frame = table(**given)
    if format is TableFormat.csv:
        typer.echo(frame.to_csv(index=False), nl=False)
    elif format is TableFormat.json:
        typer.echo(frame.to_json(orient="records", date_format="iso", indent=1))
    else:
        print_frame(frame)
        say(f"{len(frame):,} {what.value}")


def _refuse_foreign_filters(table: Any, what: What, given: dict[str, Any]) -> None:
    """Say which filter a table does not know, or needs, before anything is sent."""
    from inspect import Parameter, signature

    known = signature(table).parameters
    for name in given:
        if name not in known:
            option = "--" + name.replace("_", "-")
            raise typer.BadParameter(f"{what.value} cannot be filtered by {option}.")
    for name, parameter in known.items():
        if parameter.default is Parameter.empty and name not in given:
            option = "--" + name.replace("_", "-")
            raise typer.BadParameter(f"{what.value} can only be listed with {option}.")


@app.command()
def info(
    file: Annotated[
        str,
        typer.Argument(
            help="A LAS, LAZ, COPC or PLY file, or its address.",
            callback=cli_merge.there_or_address,
        ),
    ],
    *,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Say what a point-cloud file holds."""
    from cupixgeo.formats.registry import open_reader
    from cupixgeo.geodesy.crs import crs_label
    from cupixgeo.net.secret import redact

    with open_reader(file) as reader:
        about = reader.info
        bounds = reader.bounds().tolist() if about.point_count else None
    facts = {
        "path": redact(file),
        "format": about.format,
        "version": about.version,
        "point_format": about.point_format,
        "points": about.point_count,
        "bytes": about.size_bytes,
        "crs": crs_label(about.crs),
        "crs_source": about.crs_source,
        "bounds": bounds,
        "scales": about.scales,
        "offsets": about.offsets,
        "attributes": {a.name: str(a.dtype) for a in about.attributes},
        "extra_bytes": about.extra_bytes,
        "metadata": dict(about.metadata),
    }
    if as_json:
        typer.echo(json.dumps(facts, indent=2, default=str))
        return
    words = {name.replace("_", " "): _in_words(name, value) for name, value in facts.items()}
    print_facts({name: text for name, text in words.items() if text})


def _in_words(name: str, value: Any) -> str:
    if value is None or value in ((), {}, ""):
        return ""
    if name == "bounds":
        low, high = ("  ".join(f"{v:.3f}" for v in corner) for corner in value)
        return f"{low}\n{high}"
    if isinstance(value, dict):
        return ", ".join(f"{key} ({item})" for key, item in value.items() if item not in ("", {}))
    if isinstance(value, tuple):
        return "  ".join(f"{v:.12g}" if isinstance(v, float) else str(v) for v in value)
    return f"{value:,}" if isinstance(value, int) else str(value)


cli_merge.add_to(app)


@app.command()
def download(
    service: Service,
    ids: Annotated[list[int], typer.Argument(help="Ids of pointclouds.", show_default=False)],
    *,
    to: Annotated[
        Path, typer.Option(help="Folder for the files.", file_okay=False, exists=True)
    ] = Path(),
    base_url: BaseUrl = None,
    region: Region = None,
    token: Token = None,
) -> None:
    """Download pointclouds as the service keeps them; prints the path of each."""
    with _account(service, base_url, region, token) as account, progress_bars() as progress:
        for number in ids:
            typer.echo(str(account.download(number, to=to, progress=progress)))


@app.command()
def emulator(
    *,
    port: Annotated[int, typer.Option(help="Port, 0 for a free one.", min=0, max=65535)] = 0,
    seed: Annotated[int, typer.Option(help="Which made-up world.", min=0)] = 7,
) -> None:
    """Run the emulated services on this computer until Ctrl-C."""
    import threading

    from cupixgeo.emulator import Emulator

    running = Emulator(seed=seed, port=port)
    try:
        running.start()
    except ValueError as error:
        raise CupixGeoError(f"{error}.") from error
    try:
        base_url, token = running.endpoint("cupix")
        typer.echo(f"base_url  {base_url}\ntoken     {token}")
        say(
            f"\nIn Python:\n  import cupixgeo as cx\n"
            f'  account = cx.connect("cupix", "{token}",\n'
            f'                       base_url="{base_url}")\n'
            f"  account.pointclouds(record_id=602)\n\n"
            f"In another shell:\n  export CUPIX_TOKEN={token}\n"
            f"  cupixgeo list cupix --record-id 602 --base-url {base_url}\n\n"
            "Running; Ctrl-C stops it."
        )
        threading.Event().wait()
    except KeyboardInterrupt:
        say("Stopped.")
    finally:
        running.stop()


def _account(service: str, base_url: str | None, region: str | None, token: str | None) -> Any:
    from cupixgeo.services.registry import connect

    return connect(service, token, base_url=base_url, region=region)


if __name__ == "__main__":
    main()


cli_jobs.add_to(app)
