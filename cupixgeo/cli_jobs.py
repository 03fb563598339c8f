"""The command line's verbs for reconstruction jobs: launch, jobs, resume, cancel, results.

Knows arguments and what goes to stdout. Must not know how anything is done: each command is a call
a notebook could make as well. `add_to` puts them beside the other commands.
"""

from __future__ import annotations

import json
from contextlib import AbstractContextManager, closing
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from cupixgeo.errors import ArgumentError
from cupixgeo.progress import Progress, ProgressFn
from cupixgeo.terminal import print_facts, print_frame, progress_bars, say

if TYPE_CHECKING:
    from cupixgeo.services.job import Job
    from cupixgeo.services.job_state import JobProgress
    from cupixgeo.services.plan import Plan

STOPPED = 130


class TableFormat(StrEnum):
    """Ways to print a table."""

    table = "table"
    csv = "csv"
    json = "json"


JobId = Annotated[
    str, typer.Argument(help="Id of the job, as in cupixgeo jobs; its start is enough.")
]
BaseUrl = Annotated[
    str | None, typer.Option(help="Full API root, for example of a running emulator.")
]
Region = Annotated[str | None, typer.Option(help="Region of the service, instead of --base-url.")]
Token = Annotated[
    str | None,
    typer.Option(help="API token. Better kept in the environment or the system keyring."),
]
Workers = Annotated[int, typer.Option(help="Parts to send at a time.", min=1, max=32)]
Format = Annotated[TableFormat, typer.Option(help="How to print it.")]


def add_to(app: typer.Typer) -> None:
    """Add the commands to `app`."""
    for command in (launch, jobs, resume, cancel, results):
        app.command()(command)


def launch(  # noqa: PLR0913  one option each
    service: Annotated[str, typer.Argument(help="Name of the service: flighthub, nodeodm, ...")],
    photos: Annotated[Path, typer.Argument(help="Folder of photos, or a film.", exists=True)],
    *,
    name: Annotated[
        str | None, typer.Option(help="Name of the job; the folder's unless given.")
    ] = None,
    crs: Annotated[str | None, typer.Option(help="CRS of the results, like EPSG:32650.")] = None,
    product: Annotated[list[str] | None, typer.Option(help="What to make; again for more.")] = None,
    set: Annotated[
        list[str] | None, typer.Option(help="The service's own parameter, as NAME=VALUE.")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="How to connect, as NAME=VALUE: project=...")
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would be sent, and send nothing.")
    ] = False,
    to: Annotated[Path | None, typer.Option(help="Folder for the results, when done.")] = None,
    workers: Workers = 4,
    base_url: BaseUrl = None,
    region: Region = None,
    token: Token = None,
) -> None:
    """Send photos to a service, have them reconstructed, and wait for the end.

    Ctrl-C leaves the job; cupixgeo resume goes on. Example:
    cupixgeo launch flighthub photos/ --option project=UUID --crs EPSG:32650 --product pointcloud
    """
    from cupixgeo.services.registry import connect

    options = {"base_url": base_url, "region": region, **_values(option, "--option")}
    account: Any = connect(service, token, **options)
    with account:
        if not hasattr(account, "plan"):
            raise ArgumentError(f"{service} makes no reconstructions: there is nothing to launch.")
        plan: Plan = account.plan(
            photos,
            name=name or photos.absolute().stem,
            crs=crs,
            products=tuple(product or ()),
            **_values(set, "--set"),
        )
        if dry_run:
            _print_plan(plan)
            return
        with closing(plan.launch(workers=workers)) as job:
            typer.echo(job.id)
            _follow(job, to)


def jobs(*, format: Format = TableFormat.table) -> None:
    """List every job launched on this computer, of all services."""
    from cupixgeo.services.jobs import jobs as list_jobs

    frame = list_jobs()
    if format is TableFormat.csv:
        typer.echo(frame.to_csv(index=False), nl=False)
    elif format is TableFormat.json:
        typer.echo(frame.to_json(orient="records", date_format="iso", indent=1))
    else:
        print_frame(frame.drop(columns=["account", "folder"]))
        say(f"{len(frame):,} jobs")


def resume(
    job_id: JobId,
    *,
    start_again: Annotated[
        bool,
        typer.Option(
            "--start-again", help="Start once more where the service cannot tell if it did."
        ),
    ] = False,
    to: Annotated[Path | None, typer.Option(help="Folder for the results, when done.")] = None,
    workers: Workers = 4,
    base_url: BaseUrl = None,
    token: Token = None,
) -> None:
    """Go on with a job from where it stands, and wait for its end."""
    from cupixgeo.services.jobs import resume as resume_job

    options = _given(base_url=base_url, token=token)
    with closing(resume_job(job_id, start_again=start_again, workers=workers, **options)) as job:
        _follow(job, to)


def cancel(
    job_id: JobId,
    *,
    timeout_s: Annotated[float, typer.Option(help="Seconds to wait for the confirmation.")] = 120.0,
    base_url: BaseUrl = None,
    token: Token = None,
) -> None:
    """Stop a job at its service, and wait until the service confirms that."""
    with closing(_found(job_id, base_url, token)) as job:
        typer.echo(job.cancel(timeout_s).state.value)


def results(
    job_id: JobId,
    *,
    to: Annotated[Path | None, typer.Option(help="Folder; without, they are only listed.")] = None,
    kind: Annotated[list[str] | None, typer.Option(help="Only this kind; again for more.")] = None,
    base_url: BaseUrl = None,
    token: Token = None,
) -> None:
    """List what a finished job made, or fetch it into a folder."""
    with closing(_found(job_id, base_url, token)) as job:
        if to is None:
            print_frame(job.inventory())
        else:
            _collect(job, to, kind)


def _found(job_id: str, base_url: str | None, token: str | None) -> Job:
    """Open a job without working on it."""
    from cupixgeo.services.jobs import find_job

    return find_job(job_id, **_given(base_url=base_url, token=token))


def _follow(job: Job, to: Path | None) -> None:
    """Wait with a bar for each state; fetch the results in the end."""
    try:
        with _bars() as bars:
            watch = None if bars is None else _watcher(bars)
            now = job.wait(watch=watch)
    except KeyboardInterrupt as error:
        job.stop()
        say(f"Left. The service may go on with it; cupixgeo resume {job.id} does here.")
        raise typer.Exit(STOPPED) from error
    say(f"{job.name} is {now.state}.{' ' + now.message if now.message else ''}")
    if to is not None and now.state == "done":
        _collect(job, to, None)


def _collect(job: Job, to: Path, kinds: list[str] | None) -> None:
    with progress_bars() as progress:
        found = job.results(to, kinds=kinds, progress=progress)
    print_frame(found.table.drop(columns=["product", "path"]))
    say(f"{len(found.files):,} files in {found.folder}")


def _bars() -> AbstractContextManager[ProgressFn | None]:
    return progress_bars()


def _watcher(bars: ProgressFn) -> Any:
    def watch(now: JobProgress) -> None:
        if now.state == "uploading":
            bars(Progress("upload", now.bytes_done, now.bytes_total, "bytes", now.message))
        else:
            item = now.service_state
            bars(Progress(now.state.value, round(1000 * now.fraction), 1000, "", item))

    return watch


def _print_plan(plan: Plan) -> None:
    """Print a plan: facts, limits, requests."""
    facts = {
        "name": plan.intent.name,
        "service": plan.intent.service,
        "files": f"{len(plan.intent.files):,}",
        "bytes": f"{plan.intent.bytes:,}",
        "cost": f"{plan.cost.amount:,.6g} {plan.cost.unit}"
        if plan.cost is not None
        else "not told",
        "problems": "; ".join(plan.problems) or "none",
    }
    print_facts(facts)
    if plan.preflight is not None:
        for warning in plan.preflight.warnings:
            say(f"warning: {warning}")
    if len(plan.checks):
        typer.echo()
        print_frame(plan.limits())
    typer.echo()
    print_frame(plan.requests())
    say("Nothing was sent.")


def _values(given: list[str] | None, option: str) -> dict[str, Any]:
    """Read NAME=VALUE; a value is JSON where it can be, text where not."""
    values: dict[str, Any] = {}
    for text in given or ():
        name, equals, value = text.partition("=")
        if not equals or not name.isidentifier():
            raise typer.BadParameter(f"{option} takes NAME=VALUE, not {text!r}.")
        try:
            values[name] = json.loads(value)
        except ValueError:
            values[name] = value
    return values


def _given(**options: Any) -> dict[str, Any]:
    return {name: value for name, value in options.items() if value is not None}
