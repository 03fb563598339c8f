"""One job as a card: how far it is, what is safe, and what can be done about it.

Knows a `Job` and its row in the ledger. Must not know any service.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from html import escape
from pathlib import Path
from typing import Any

import ipywidgets as w

from cupixgeo.errors import CancelledError, CupixGeoError, OutputError, UnclearJobError
from cupixgeo.services.job import Job
from cupixgeo.services.job_state import JobProgress, JobState
from cupixgeo.services.ledger import JobRow, Ledger, Phase
from cupixgeo.services.results import Results
from cupixgeo.services.runner import Options
from cupixgeo.widgets.errand import Errand
from cupixgeo.widgets.view import View

Show = Callable[[Job, Results], None]


class JobCard(w.VBox):
    """A job: its state, a bar, and buttons for what can be done now.

    Parameters
    ----------
    view : View
        Says what goes wrong.
    job : Job
        The job.
    ledger : Ledger
        Where it is written down.
    show : callable
        Shows the results of a job.
    on_work : callable
        Called when something begins that is worth watching.
    """

    def __init__(
        self, view: View, job: Job, ledger: Ledger, show: Show, on_work: Callable[[], None]
    ) -> None:
        self.job = job
        self._view, self._ledger, self._show, self._watch = view, ledger, show, on_work
        self._error: BaseException | None = None
        self._was_active = False
        self._head, self._words = w.HTML(), w.HTML()
        self._head.add_class("cx-job-head")
        self._words.add_class("cx-job-words")
        self._bar = w.FloatProgress(min=0.0, max=1.0, layout=w.Layout(width="100%"))
        self._bar.style = {"bar_color": "var(--cx-accent)"}
        self._resume = _button("Resume", "Go on from where it stands", self._go_on)
        self._again = _button(
            "Start again",
            "Start it once more; look at the service's own pages first",
            self._restart,
        )
        self._cancel = _button("Cancel", "Stop it at the service", self._call_off)
        self._history = _button("History", "What happened to it, with times", self._tell)
        self._folder = w.Text(
            value=str(_folder(job, ledger)),
            description="Results to",
            tooltip="Folder for the results, on the machine of the kernel",
            layout=w.Layout(flex="1 1 18em"),
            continuous_update=False,
        )
        self._collect = _button("Get results", "Fetch, check and show what it made", self._fetch)
        self._collect.add_class("mod-primary")
        buttons = (self._resume, self._again, self._cancel, self._folder, self._collect)
        self._actions = w.HBox([*buttons, self._history])
        self._actions.add_class("cx-actions")
        self._events = w.HTML()
        self._events.layout.display = "none"
        self._events.add_class("cx-job-events")
        self.errand = Errand(view, name="job")
        parts = (self._head, self._bar, self._words, self.errand, self._actions, self._events)
        super().__init__(list(parts))
        self.add_class("cx-job")
        self.add_class(f"cx-job-{job.id}")
        self._seen: tuple[Any, ...] = ()
        self.refresh()

    @property
    def is_live(self) -> bool:
        """Whether the card may still change."""
        return not self._row.state.is_final or self._was_active or self.errand.is_busy

    @property
    def is_watched(self) -> bool:
        """Whether somebody works on it, so that it is about to change."""
        is_worked_on = not self._row.state.is_final and (
            self.job.is_active or bool(self._other(self._row))
        )
        return is_worked_on or self._was_active or self.errand.is_busy

    @property
    def text(self) -> str:
        """What the card says about it, without markup."""
        return self._text

    def refresh(self) -> None:
        """Show how it is now; sends nothing to the browser where nothing has changed."""
        self._row = self._ledger.row(self.job.id)
        is_active = self.job.is_active
        if self._was_active and not is_active:
            self._notice_end()
        self._was_active = is_active
        now = self.job.progress()
        other = self._other(self._row)
        seen = (now, is_active, other, self._row.is_cancelling, type(self._error))
        if seen == self._seen:
            return
        self._seen = seen
        self._text = _words(self._row, now, is_active=is_active, other=other)
        self._head.value = _head(self._row, now)
        self._words.value = f'<div role="status">{escape(self._text)}</div>'
        self._bar.value = 1.0 if now.state is JobState.DONE else now.fraction
        self._bar.layout.display = "none" if _is_over(now.state) else None
        self._offer(now, is_active=is_active, other=other)

    def _offer(self, now: JobProgress, *, is_active: bool, other: str) -> None:
        """Show the buttons that make sense now."""
        is_final, is_done = now.state.is_final, now.state is JobState.DONE
        is_left = not is_final and not is_active and not other
        is_unclear = isinstance(self._error, UnclearJobError) and is_left
        for widget, is_shown in (
            (self._resume, is_left),
            (self._again, is_unclear),
            (self._cancel, not is_final),
            (self._folder, is_done),
            (self._collect, is_done),
        ):
            widget.layout.display = None if is_shown else "none"
        self._cancel.disabled = self._row.is_cancelling

    def _notice_end(self) -> None:
        """Say what made this process leave the job."""
        try:
            self.job.wait(0.0)
        except CancelledError:
            self._error = None
        except CupixGeoError as error:
            self._error = error
            row = self._row
            safe = "" if row.state.is_final else f"\n{_safe(row, self.job.progress())}"
            self._view.say(f"{self.job.name}: {error}{safe}")

    def _other(self, row: JobRow) -> str:
        """Name the process that works on it, if it is another one."""
        lease = row.lease
        if lease is None or self.job.is_active or lease.is_free(self._ledger.now()):
            return ""
        return str(lease.holder)

    # -- what can be done ------------------------------------------------------------------------

    def _go_on(self) -> None:
        self._run(Options())

    def _restart(self) -> None:
        self._run(Options(start_again=True))

    def _run(self, options: Options) -> None:
        with self._view.guard():
            self._error = None
            self._view.hush()
            self.job.run(options)
            self._was_active = self.job.is_active
        self.refresh()
        self._watch()

    def _call_off(self) -> None:
        self._cancel.disabled = True
        self.errand.begin(
            f"Cancel {self.job.name}",
            lambda progress, stop: self.job.cancel(),
            lambda progress: self.refresh(),
        )
        self._watch()

    def _fetch(self) -> None:
        folder = Path(self._folder.value).expanduser()
        self._view.hush()
        self.errand.begin(
            f"Results of {self.job.name}",
            lambda progress, stop: self.job.results(_made(folder), progress=progress),
            lambda results: self._show(self.job, results),
        )
        self._watch()

    def _tell(self) -> None:
        is_shown = self._events.layout.display is None
        self._events.layout.display = "none" if is_shown else None
        if not is_shown:
            table = self.job.history().tail(200)
            times = table["time"].dt.strftime("%Y-%m-%d %H:%M:%S UTC")
            self._events.value = table.assign(time=times).to_html(index=False, border=0)


def _button(text: str, tip: str, action: Callable[[], None]) -> w.Button:
    button = w.Button(description=text, tooltip=tip)
    button.add_class(f"cx-{text.lower().replace(' ', '-')}")
    button.on_click(lambda clicked: action())
    return button


def _is_over(state: JobState) -> bool:
    return state.is_final


def _made(folder: Path) -> Path:
    """Make the folder above the results, as ``job.results`` makes only the last one."""
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(
            f"the folder {folder.parent} cannot be made ({error.strerror}). Name another one."
        ) from error
    return folder


def _folder(job: Job, ledger: Ledger) -> Path:
    """Suggest a folder for the results: the one they are in, or one named after the job."""
    known = ledger.row(job.id).folder
    if known:
        return Path(known)
    name = "".join(c if c.isalnum() or c in "-_" else "-" for c in job.name).strip("-")
    return Path("results") / f"{name or 'job'}-{job.id}"


def _head(row: JobRow, now: JobProgress) -> str:
    """Write what it is: name, state, service, size, when."""
    began = datetime.fromtimestamp(row.created, UTC)
    facts = (
        f"{row.origin.service} · {len(row.intent.files)} files · {row.intent.bytes / 1e6:,.1f} MB "
        f"· {began:%Y-%m-%d %H:%M} UTC · {row.id}"
    )
    chip = f'<span class="cx-chip cx-chip-{now.state}">{now.state}</span>'
    return (
        f'<span class="cx-job-name">{escape(row.intent.name)}</span> {chip} '
        f'<span class="cx-help">{escape(facts)}</span>'
    )


def _words(row: JobRow, now: JobProgress, *, is_active: bool, other: str) -> str:
    """Say how far it is, and what to do where nobody works on it."""
    parts = []
    if now.state is JobState.UPLOADING:
        parts.append(
            f"{now.files_done} of {now.files_total} files sent, {now.bytes_done / 1e6:,.1f} of "
            f"{now.bytes_total / 1e6:,.1f} MB"
        )
    elif not now.state.is_final and now.fraction:
        parts.append(f"{now.fraction:.0%}")
    if now.service_state and not now.state.is_final:
        parts.append(f"the service says {now.service_state}")
    if now.eta_s is not None and is_active:
        parts.append(f"about {_duration(now.eta_s)} left")
    said = [", ".join(parts)] if parts else []
    said += [now.message] if now.message else []
    if row.is_cancelling and not now.state.is_final:
        said.append("It is being cancelled.")
    elif other:
        said.append(f"It is worked on by {other}; what it writes down is shown here.")
    elif not is_active and not now.state.is_final:
        said.append(_safe(row, now))
    return " ".join(f"{text.rstrip('.')}." for text in said)


def _safe(row: JobRow, now: JobProgress) -> str:
    """Say what is safe while nobody works on a job, and what to do."""
    if row.phase is Phase.STARTING:
        done = "Whether it was started is not known: Resume asks the service before it starts it"
    elif row.phase > Phase.STARTING:
        done = "It was started and goes on at the service; Resume follows it"
    elif now.files_done:
        done = (
            f"{now.files_done} of {now.files_total} files ({now.bytes_done / 1e6:,.1f} MB) are at "
            "the service and are not sent again. Nothing was started, so it costs nothing yet; "
            "Resume goes on with the rest"
        )
    else:
        done = "Nothing was started, so it costs nothing yet; Resume goes on from there"
    return f"Nobody is working on it now. {done}. It is in the ledger: closing this loses nothing"


def _duration(seconds: float) -> str:
    if seconds < 90:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
