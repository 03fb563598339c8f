"""A plan as HTML: limits beside the job's own numbers, cost, and the requests of a dry run.

Knows `Plan`. Sends nothing. Must not know any service.
"""

from __future__ import annotations

import json
from html import escape
from pathlib import Path
from typing import Any

import pandas as pd

from cupixgeo.photos.preflight import Preflight
from cupixgeo.services.job_values import Cost, LimitCheck
from cupixgeo.services.plan import Plan


def limits_html(plan: Plan) -> str:
    """Show limits and cost, and what stands in the way of a launch."""
    rows = "".join(_limit(check) for check in plan.checks) + _cost(plan.cost)
    table = (
        "<table class='cx-limits'><thead><tr><th></th><th>what</th><th>this job</th>"
        f"<th>allowed</th><th>source</th></tr></thead><tbody>{rows}</tbody></table>"
        if rows
        else "<p class='cx-help'>The service states no limits and no cost.</p>"
    )
    problems = "".join(f"<li>{escape(text[:1].upper() + text[1:])}.</li>" for text in plan.problems)
    wrong = f"<ul class='cx-wrong' role='alert'>{problems}</ul>" if problems else ""
    note = f"<p class='cx-help'>{escape(plan.cost.note)}</p>" if plan.cost else ""
    return f"{table}{note}{wrong}"


def requests_html(plan: Plan) -> str:
    """Show what a launch would send, in order. Plans hold no token and no signature."""
    rows = "".join(
        f"<tr><td>{escape(str(row.method))}</td><td class='cx-path'>{escape(str(row.path))}</td>"
        f"<td class='cx-right'>{row.repeats:,}×</td><td>{escape(str(row.purpose))}"
        f"{_body(row.body)}</td></tr>"
        for row in plan.requests().itertuples()
    )
    intent = plan.intent
    return (
        f"<p>Dry run of {escape(repr(intent.name))}: nothing was sent. A launch would send "
        f"{len(intent.files)} files, {intent.bytes / 1e6:,.1f} MB, with these requests to "
        f"{escape(intent.service)}:</p><table class='cx-requests'><thead><tr><th>method</th>"
        f"<th>path</th><th>times</th><th>what for</th></tr></thead><tbody>{rows}</tbody></table>"
    )


def photos_table(preflight: Preflight) -> pd.DataFrame:
    """Choose what a table of photos shows: doubtful ones and the reasons first to be found."""
    table = preflight.table
    shown = table.assign(photo=[Path(path).name for path in table["path"]])
    shown.attrs = table.attrs
    return shown


PHOTO_COLUMNS = (
    "photo", "verdict", "remarks", "model", "width", "height", "lat_deg", "lon_deg", "alt_m",
    "gsd_m", "captured_at", "bytes",
)  # fmt: skip
"""Columns of that table."""


def verdicts_html(preflight: Preflight) -> str:
    """Show how many photos are ok, doubtful or left out, and what is known about the set."""
    chips = " ".join(
        f"<span class='cx-chip cx-chip-{verdict if number else 'none'}'>{number} {word}</span>"
        for (verdict, number), word in zip(
            preflight.verdicts.items(), ("ok", "doubtful", "left out"), strict=True
        )
    )
    lines = preflight.summary().splitlines()[1:]
    facts = "".join(f"<li>{escape(_fact(line))}</li>" for line in lines if "!" not in line[:4])
    return (
        f"<p>{chips} <span class='cx-help'>{preflight.bytes / 1e6:,.1f} MB to send</span></p>"
        f"<ul class='cx-facts'>{facts}</ul>"
    )


def doubts_html(preflight: Preflight) -> str:
    """Show what a user ought to know about a set of photos as a whole."""
    doubts = "".join(f"<li>{escape(warning)}</li>" for warning in preflight.warnings)
    return f"<ul class='cx-doubts'>{doubts}</ul>" if doubts else ""


def _fact(line: str) -> str:
    name, _, text = line.strip().partition(" ")
    return f"{name}: {text.strip()}"


def _limit(check: LimitCheck) -> str:
    sides = [
        f"at least {_number(check.least)}" if check.least is not None else "",
        f"at most {_number(check.most)}" if check.most is not None else "",
    ]
    return _row(
        "ok" if check.ok else "too much" if _is_above(check) else "too little",
        check.what,
        _counted(check.value, check.unit),
        " and ".join(side for side in sides if side) or "no limit",
        check.source,
        is_ok=check.ok,
    )


def _cost(cost: Cost | None) -> str:
    if cost is None:
        return ""
    is_ok = cost.available is None or cost.amount <= cost.available
    has = "not told" if cost.available is None else f"{_counted(cost.available, cost.unit)} there"
    amount = _counted(cost.amount, cost.unit)
    return _row("ok" if is_ok else "too much", "cost", amount, has, "", is_ok=is_ok)


def _row(verdict: str, what: str, value: str, allowed: str, source: str, *, is_ok: bool) -> str:
    chip = f"<span class='cx-chip cx-chip-{'ok' if is_ok else 'reject'}'>{verdict}</span>"
    cells = "".join(f"<td>{escape(text)}</td>" for text in (what, value, allowed, source))
    return f"<tr><td>{chip}</td>{cells}</tr>"


def _is_above(check: LimitCheck) -> bool:
    return check.most is not None and check.value > check.most


def _number(value: float) -> str:
    return f"{value:,.0f}" if float(value).is_integer() else f"{value:,.6g}"


def _counted(value: float, unit: str) -> str:
    """Write a number with its unit, which services and drivers give in the singular."""
    first, blank, rest = unit.partition(" ")
    many = "s" if value != 1 and first.islower() and not first.endswith("s") else ""
    return f"{_number(value)} {first}{many}{blank}{rest}".rstrip()


def _body(body: Any) -> str:
    if body is None:
        return ""
    text = escape(json.dumps(_opened(body), indent=1, ensure_ascii=False))
    return f"<details><summary>body</summary><pre tabindex='0'>{text}</pre></details>"


def _opened(value: Any) -> Any:
    """Write JSON within texts as JSON, so that people can read it."""
    if isinstance(value, dict):
        return {key: _opened(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_opened(inner) for inner in value]
    if isinstance(value, str) and value[:1] in "{[" and len(value) > 2:
        try:
            return _opened(json.loads(value))
        except ValueError:
            return value
    return value
