"""What a launch would do: photos, limits, cost, requests. Nothing of it is sent.

Knows how a request becomes an intent. Must not know any service.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from cupixgeo.errors import ArgumentError, LimitError
from cupixgeo.services.intake import gather
from cupixgeo.services.job import Job
from cupixgeo.services.job_values import (
    Cost,
    Intent,
    JobRequest,
    LimitCheck,
    PlannedRequest,
    SourceFile,
)
from cupixgeo.services.ledger import Ledger, Origin, new_tag
from cupixgeo.services.runner import Options
from cupixgeo.services.tables import ANY, INTEGER, NUMBER, TEXT, TRUTH, Column, TableSchema

if TYPE_CHECKING:
    from cupixgeo.photos.listing import PhotosLike
    from cupixgeo.photos.preflight import Preflight
    from cupixgeo.services.base import JobAccount
    from cupixgeo.services.driver import JobDriver


LIMITS = TableSchema(
    "limits",
    (
        Column("what", TEXT, meaning="what is limited"),
        Column("value", NUMBER, meaning="the job's own number"),
        Column("least", NUMBER, meaning="the service's lower limit"),
        Column("most", NUMBER, meaning="the service's upper limit"),
        Column("unit", TEXT, meaning="unit of the numbers"),
        Column("ok", TRUTH, meaning="whether the job keeps to it"),
        Column("source", TEXT, meaning="where the limit is from"),
    ),
)
REQUESTS = TableSchema(
    "requests",
    (
        Column("method", TEXT, meaning="HTTP method"),
        Column("path", TEXT, meaning="path; what is not known yet in braces"),
        Column("repeats", INTEGER, meaning="how often"),
        Column("purpose", TEXT, meaning="what for"),
        Column("body", ANY, meaning="what is sent; placeholders in braces"),
    ),
)


@dataclass(frozen=True)
class Plan:
    """A job that could be launched.

    Parameters
    ----------
    intent : Intent
        What would be done.
    preflight : Preflight or None
        What was found out about the photos; None where the input is not photos.
    checks : tuple of LimitCheck
        The service's limits, compared with the job.
    cost : Cost or None
        What it will cost, where the service tells.
    """

    intent: Intent
    preflight: Preflight | None
    checks: tuple[LimitCheck, ...]
    cost: Cost | None
    _account: JobAccount = field(repr=False, compare=False)
    _requests: tuple[PlannedRequest, ...] = field(repr=False, compare=False)

    @property
    def problems(self) -> list[str]:
        """What stands in the way of a launch, one sentence each; empty where nothing does."""
        problems = [_problem(check) for check in self.checks if not check.ok]
        cost = self.cost
        if cost is not None and cost.available is not None and cost.amount > cost.available:
            problems.append(
                f"it costs {_number(cost.amount)} {cost.unit}, and the account has "
                f"{_number(cost.available)}"
            )
        return problems

    def limits(self) -> pd.DataFrame:
        """List the service's limits beside the job's own numbers."""
        rows = [
            {
                "what": check.what,
                "value": check.value,
                "least": check.least,
                "most": check.most,
                "unit": check.unit,
                "ok": check.ok,
                "source": check.source,
            }
            for check in self.checks
        ]
        return LIMITS.to_frame(rows)

    def requests(self) -> pd.DataFrame:
        """List what a launch would send, in order: method, path, repeats, purpose, body."""
        rows = [
            {
                "method": request.method,
                "path": request.path,
                "repeats": request.repeats,
                "purpose": request.purpose,
                "body": request.body,
            }
            for request in self._requests
        ]
        frame = REQUESTS.to_frame(rows)
        frame["body"] = pd.Series([row["body"] for row in rows], dtype="object")
        return frame

    def launch(self, *, workers: int = 4, ledger: Ledger | None = None) -> Job:
        """Write the job into the ledger and begin, in the background of this process.

        Parameters
        ----------
        workers : int
            Parts to send at a time.
        ledger : Ledger or None
            Another ledger than the user's own.

        Returns
        -------
        Job
            ``job.wait()`` waits for its end. When this process ends before, ``cx.resume(job.id)``
            goes on.

        Raises
        ------
        LimitError
            If the service's limits do not allow it.
        ArgumentError
            If this plan was launched before, or `workers` is no number from 1 to 32.
        """
        if not 1 <= workers <= 32:
            raise ArgumentError(f"workers={workers} is no number of parts from 1 to 32.")
        if self.problems:
            raise LimitError(
                f"{self.intent.service} would refuse {self.intent.name!r}: "
                f"{'; '.join(self.problems)}. Nothing was sent: plan it anew with other photos, "
                "products or another account."
            )
        account = self._account
        label = f"{type(account).__name__} at {account.base_url}"
        origin = Origin(account.service, account.base_url, label, account.reconnect_options())
        written = ledger if ledger is not None else Ledger()
        job_id = written.write_intent(self.intent, origin)
        closes = () if ledger is not None else (written,)
        return Job(written, job_id, account, closes=closes).run(Options(workers=workers))

    def __repr__(self) -> str:
        return f"<Plan {_facts(self)}>"

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(str(r.method))}</td><td>{escape(str(r.path))}</td>"
            f"<td>{r.repeats}</td><td>{escape(r.purpose)}</td></tr>"
            for r in self._requests
        )
        limits = self.limits().to_html(index=False) if self.checks else ""
        photos = self.preflight._repr_html_() if self.preflight is not None else ""
        return (
            f"<p>{escape(_facts(self))}</p>{photos}{limits}"
            f"<table><caption>requests</caption>{rows}</table>"
        )


def make_plan(account: JobAccount, photos: PhotosLike | Preflight, request: JobRequest) -> Plan:
    """Make a plan; see `cupixgeo.services.base.JobAccount.plan`.

    Raises
    ------
    ArgumentError
        If there are no photos, or a product or parameter makes no sense.
    """
    driver = account.driver()
    if not str(request.name).strip():
        raise ArgumentError("a job needs a name: give one as name=.")
    parameters = driver.parameters(request)
    paths, preflight = _inputs(driver, photos)
    if not paths:
        raise ArgumentError(_no_photos(photos, preflight))
    files = _with_sizes(gather(paths, driver.attachments(parameters)), preflight)
    intent = Intent(
        service=driver.service,
        name=request.name,
        tag=new_tag(),
        products=request.products,
        parameters=parameters,
        files=tuple(files),
        bytes=sum(file.size for file in files),
        crs_wkt=_wkt(request.crs),
    )
    return Plan(
        intent=intent,
        preflight=preflight,
        checks=tuple(driver.limits(intent)),
        cost=driver.cost(intent),
        _account=account,
        _requests=tuple(driver.requests(intent)),
    )


def _inputs(
    driver: JobDriver, photos: PhotosLike | Preflight
) -> tuple[Sequence[Path], Preflight | None]:
    """Give the paths, and what preflight says; a film is taken as it is."""
    if isinstance(photos, str | os.PathLike):
        path = Path(photos).expanduser()
        if path.suffix.lower() in driver.whole_inputs and path.is_file():
            return [path], None
    from cupixgeo.photos.preflight import Preflight, preflight
    from cupixgeo.photos.rules import Rules

    if isinstance(photos, Preflight):
        return photos.paths, photos
    found = preflight(photos, rules=Rules(positions=driver.wants_positions))
    return found.paths, found


def _with_sizes(files: list[SourceFile], preflight: Preflight | None) -> list[SourceFile]:
    """Add the pictures' sizes, which limits and prices may depend on."""
    if preflight is None:
        return files
    sizes = preflight.usable[["width", "height"]].fillna(0).to_numpy(dtype=int)
    photos = [
        replace(file, width=int(width), height=int(height))
        for file, (width, height) in zip(files, sizes, strict=False)
    ]
    return photos + files[len(photos) :]


def _no_photos(photos: object, preflight: Preflight | None) -> str:
    """Say why nothing can be sent."""
    if preflight is None or not len(preflight.table):
        return f"there are no photos in {photos}: give a folder of photos, or a list of them."
    reasons = "; ".join(f"{number} {reason}" for reason, number in preflight.reasons.items())
    return (
        f"none of the {len(preflight.table)} photos can be used ({reasons}): see "
        "cupixgeo.photos.preflight.preflight(photos).table."
    )


def _wkt(crs: Any) -> str:
    if crs is None:
        return ""
    from cupixgeo.geodesy.crs import as_crs

    return str(as_crs(crs).to_wkt())


def _facts(plan: Plan) -> str:
    intent = plan.intent
    cost = f", {_number(plan.cost.amount)} {plan.cost.unit}" if plan.cost is not None else ""
    ready = f"; {'; '.join(plan.problems)}" if plan.problems else ", ready to launch"
    return (
        f"{intent.name!r} at {intent.service}: {len(intent.files)} files, "
        f"{intent.bytes / 1e6:,.1f} MB{cost}{ready}"
    )


def _problem(check: LimitCheck) -> str:
    sides = (
        f"at least {_number(check.least)}" if check.least is not None else "",
        f"at most {_number(check.most)}" if check.most is not None else "",
    )
    unit = f" {check.unit}" if check.unit else ""
    return (
        f"{check.what}: {_number(check.value)}{unit}, allowed is "
        f"{' and '.join(side for side in sides if side)}"
    )


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.6g}"
