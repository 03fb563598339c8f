"""How a job shows itself: in a prompt, in a notebook, and as a table of what happened to it.

Knows what people want to see of a job. Must not know where it is written down.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime
from html import escape

import pandas as pd

from cupixgeo.services.job_state import JobProgress
from cupixgeo.services.tables import TEXT, TIME, Column, TableSchema

HISTORY = TableSchema(
    "events",
    (
        Column("time", TIME, meaning="when"),
        Column("kind", TEXT, meaning="phase, note, log, rejected, stopped, ..."),
        Column("text", TEXT, meaning="what"),
    ),
)


def history_table(events: Iterable[tuple[float, str, str]]) -> pd.DataFrame:
    """Make the table of a job's events: time (UTC), kind and text.

    Parameters
    ----------
    events : iterable of (float, str, str)
        Time [s since 1970], kind and text of each.
    """
    rows = [
        {"time": datetime.fromtimestamp(time, UTC).isoformat(), "kind": kind, "text": text}
        for time, kind, text in events
    ]
    return HISTORY.to_frame(rows)


def job_text(job_id: str, name: str, service: str, now: JobProgress) -> str:
    """Say in a line what a job is and how far."""
    return (
        f"<Job {job_id} {name!r} at {service}: {now.state}, "
        f"{now.fraction:.0%}{', ' + now.message if now.message else ''}>"
    )


def job_html(job_id: str, name: str, service: str, now: JobProgress) -> str:
    """Say the same as a small table of HTML."""
    rows = {
        "job": f"{job_id} ({name})",
        "service": service,
        "state": f"{now.state} ({now.service_state})" if now.service_state else now.state,
        "progress": f"{now.fraction:.0%}, {now.files_done} of {now.files_total} files sent",
        "message": now.message,
    }
    cells = "".join(
        f"<tr><th style='text-align:left'>{escape(name)}</th><td>{escape(text)}</td></tr>"
        for name, text in rows.items()
    )
    return f"<table>{cells}</table>"
