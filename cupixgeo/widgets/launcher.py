"""From a folder of photos to a result on the map, by clicking: photos, wishes, dry run, launch.

Knows the order of the steps. Photos are looked at, plans made, jobs launched and results fetched
by the same functions scripts call; here they run in threads that only set traits. Must not know
any service.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from html import escape
from importlib.resources import files
from pathlib import Path
from typing import Any

import ipywidgets as w

from cupixgeo.errors import ArgumentError
from cupixgeo.progress import ProgressFn
from cupixgeo.services.base import JobAccount
from cupixgeo.services.job import Job
from cupixgeo.services.offer import Offer
from cupixgeo.services.plan import Plan
from cupixgeo.services.results import Results
from cupixgeo.widgets.errand import Errand
from cupixgeo.widgets.jobs_view import Jobs
from cupixgeo.widgets.launcher_order import Order
from cupixgeo.widgets.launcher_photos import Photos
from cupixgeo.widgets.launcher_wishes import Wishes
from cupixgeo.widgets.plan_text import limits_html, requests_html
from cupixgeo.widgets.result_view import ResultView
from cupixgeo.widgets.view import View, refuse_unknown

STYLE = (files("cupixgeo.widgets") / "frontend" / "panel.css").read_text("utf-8")

ANSWER_S = 1.0
"""[s] the widget waits for what a service offers, before it is shown without."""


class Launcher(View):
    """Launch a reconstruction, follow it, and look at what it made.

    A job is in the ledger before its first byte leaves: close the notebook, and the next
    `Launcher` finds it.

    Parameters
    ----------
    account : JobAccount
        Where: what ``cx.connect`` gives for a service that reconstructs.
    photos : path or None
        Folder to begin with; None for the kernel's own.
    name : str
        Name of the job; empty for that of the folder.

    Raises
    ------
    ArgumentError
        The account is one of a service that makes no reconstructions.

    Examples
    --------
    >>> import cupixgeo as cx
    >>> account = cx.connect("flighthub")  # doctest: +SKIP
    >>> cx.widgets.Launcher(account, photos="flights/pier-4")  # doctest: +SKIP
    """

    def __init__(
        self,
        account: JobAccount,
        *,
        photos: str | Path | None = None,
        name: str = "",
        **unknown: Any,
    ) -> None:
        refuse_unknown(unknown, Launcher.__init__, "Launcher")
        if not isinstance(account, JobAccount):
            raise ArgumentError(
                f"a {type(account).__name__} makes no reconstructions, so there is nothing to "
                "launch. Connect to a service that does, or use cx.widgets.Dashboard."
            )
        self._account = account
        self._given_name = name
        self._plan: tuple[Order, Plan] | None = None
        self._stale = threading.Event()
        self._pending: Callable[[Plan], None] | None = None
        self._is_delivered = False
        self._changing = threading.RLock()  # front ends may call back from several threads
        self._driver = account.driver()
        self.photos = Photos(
            self,
            "" if photos is None else str(photos),
            films=self._driver.whole_inputs,
            wants_positions=self._driver.wants_positions,
            on_look=self._looked,
            on_area=self._area_changed,
        )
        self.wishes: Wishes | None = None
        self._asking = Errand(self, name="offer")
        self._ask = _button("Ask again", "Ask the service what can be chosen", self._ask_offer)
        self._wishes_place = w.VBox([self._asking, self._ask])
        self._make_launch_row()
        self.result = ResultView(self)
        self.jobs = Jobs(self, account, self._show_result)
        head = w.HTML(_head(account))
        head.add_class("cx-head")
        style = w.HTML(f"<style>{STYLE}</style>", layout=w.Layout(display="none"))
        steps = (
            _step("Photos", [self.photos]),
            _step("What to make", [self._wishes_place]),
            _step("Launch", [self._limits, self._row, self.planning, self.requests]),
            _step("Jobs", [self.jobs]),
        )
        super().__init__([style, head, *steps, self.result], name="launcher")
        self._ask_offer()
        self._asking.wait(ANSWER_S)

    def _make_launch_row(self) -> None:
        self._limits = w.HTML("<p class='cx-help'>Look at the photos first.</p>")
        self._limits.add_class("cx-limits-place")
        self.dry_run = _button(
            "Dry run", "Show what a launch would send; sends nothing", self._show_requests
        )
        self.launch = _button("Launch", "Send the photos and start the reconstruction", self._start)
        self.launch.add_class("mod-primary")
        self._row = w.HBox([self.dry_run, self.launch])
        self._row.add_class("cx-actions")
        self.planning = Errand(self, name="plan")
        self.requests = w.HTML()
        self.requests.add_class("cx-requests-place")
        self._free()

    # -- what can be chosen ----------------------------------------------------------------------

    def _ask_offer(self) -> None:
        self._ask.layout.display = "none"
        self._asking.begin(
            "Ask what can be chosen",
            lambda progress, stop: self._driver.offer(),
            self._show_wishes,
            after=self._offer_to_ask,
        )

    def _offer_to_ask(self) -> None:
        """Where the service gave no answer, let the user ask again."""
        self._ask.layout.display = None if self.wishes is None else "none"

    def _show_wishes(self, offer: Offer) -> None:
        self.wishes = Wishes(
            self._driver,
            offer,
            on_change=self._order_changed,
            on_clear=self.photos.clear_area,
        )
        self._wishes_place.children = (self.wishes,)
        self._name_it()
        self._looked()

    @property
    def order(self) -> Order:
        """What is asked for, as it stands."""
        if self.wishes is None:
            return Order(self.photos.source)
        return self.wishes.order(self.photos.source, self.photos.area)

    # -- changes ---------------------------------------------------------------------------------

    def _looked(self) -> None:
        """Take over what the photos suggest: a name, a CRS."""
        found = self.photos.preflight
        centre = None if found is None else found.centre
        if self.wishes is not None and centre is not None and self.wishes.offer.takes_crs:
            self.wishes.crs.suggest(*centre)
        self._name_it()
        self._area_changed()

    def _name_it(self) -> None:
        """Name the job after the folder, unless somebody named it."""
        if self.wishes is None:
            return
        name = self._given_name or self.photos.folder.path.absolute().stem
        if self.wishes.name.value in ("", getattr(self, "_suggested", "")):
            self._suggested = name
            self.wishes.name.value = name

    def _area_changed(self) -> None:
        aoi = self.photos.aoi
        if self.wishes is not None:
            self.wishes.tell_area("" if aoi is None else str(aoi))
        self._order_changed()

    def _order_changed(self) -> None:
        """Check what was entered, and bring limits and cost up to date."""
        with self._changing:
            self.requests.value = ""
            is_good = self._check()
            self._free()
            self.changed()
            if is_good and self.photos.is_ready:
                self._replan()

    def _check(self) -> bool:
        """Say beside each field what is wrong with it; say whether nothing is."""
        if self.wishes is None:
            return False
        faults = self.wishes.check(self.order)
        general = faults.get(None, "")
        if general:
            self.say(general)
        elif self.message and not faults:
            self.hush()
        return not faults

    def _free(self) -> None:
        """Let launch and dry run be clicked when there is something to send."""
        is_ready = self.photos.is_ready and self.wishes is not None
        self.dry_run.disabled = self.launch.disabled = not is_ready

    # -- planning --------------------------------------------------------------------------------

    def _replan(self) -> None:
        """Ask for limits and cost of what is asked for now; what is being asked is asked anew."""
        self._stale.set()
        self._begin_planning("Ask for limits and cost")

    def _begin_planning(self, what: str) -> None:
        self._is_delivered = False
        self.planning.begin(what, self._make_plan, self._deliver, after=self._planned)

    def _deliver(self, plan: Plan) -> None:
        """Show limits and cost, and do what waits for the plan."""
        self._is_delivered = True
        then, self._pending = self._pending, None
        self._show_limits(plan)
        if then is not None:
            then(plan)

    def _planned(self) -> None:
        """Do what was clicked too late for the plan that has just ended; else give up on it."""
        if self._pending is not None and self._is_delivered:
            self._begin_planning("Plan")
            return
        self._pending = None
        self._free()

    def _make_plan(self, progress: ProgressFn, stop: threading.Event) -> Plan:
        """Plan the order as it stands when the answer comes; reuse the plan that is up to date."""
        while True:
            self._stale.clear()
            order = self.order
            known = self._plan
            if known is not None and known[0] == order:
                return known[1]
            plan = order.plan(self._account, self.photos.preflight)
            if not self._stale.is_set():
                self._plan = (order, plan)
                return plan

    def _show_limits(self, plan: Plan) -> None:
        self._limits.value = limits_html(plan)

    def _show_requests(self) -> None:
        self._plan_and("Dry run", self._tell_requests)

    def _tell_requests(self, plan: Plan) -> None:
        self.requests.value = requests_html(plan)

    def _start(self) -> None:
        self._plan_and("Launch", self._launch)

    def _plan_and(self, what: str, then: Callable[[Plan], None]) -> None:
        """Check, plan and go on in a thread; a plan that is being made is waited for there."""
        if not self._check() or self.wishes is None:
            self.say("Correct what is marked above, then try again.")
            return
        if not self.order.name:
            self.wishes.blame_name("A job needs a name.")
            return
        self.hush()
        self.dry_run.disabled = self.launch.disabled = True
        self._pending = then
        self._begin_planning(what)

    def _launch(self, plan: Plan) -> None:
        """Launch a plan; it is used up, so the next launch plans anew."""
        job = plan.launch(ledger=self.jobs.ledger)
        self._plan = None
        self.jobs.add(job)
        self.changed()

    # -- results ---------------------------------------------------------------------------------

    def _show_result(self, job: Job, results: Results) -> None:
        self.result.show(job, results, self.photos.preflight)
        self.changed()

    # -- what every widget answers ---------------------------------------------------------------

    def code(self) -> str:
        """Python that does the same: connect, plan, launch; and fetch what was fetched."""
        return self.order.code(self._account) + self.result.code()

    def summary(self) -> str:
        """Say in plain text how things stand."""
        order, found = self.order, self.photos.preflight
        lines = [f"Launch a reconstruction at {self._account.service} ({self._account.base_url})"]
        if found is not None:
            lines.append(found.summary())
        if order.name:
            made = ", ".join(order.products) or "the usual products"
            lines.append(f"{order.name}: {made}, CRS {order.crs or 'of the service'}")
        lines += [f"{card.job.name}: {card.job.state}" for card in self.jobs.cards.values()]
        return "\n".join(lines)

    def figure(self) -> bytes | None:
        """Draw the result, or the photos on the map."""
        still = self.result.figure()
        return still if still is not None or self.photos.map is None else self.photos.map.figure()

    def close(self) -> None:
        """Take it off the page. Jobs go on."""
        for part in ("jobs", "_driver"):  # missing where it was never made whole
            if hasattr(self, part):
                getattr(self, part).close()
        super().close()


def _step(title: str, parts: list[w.Widget]) -> w.VBox:
    heading = w.HTML(f"<h3>{title}</h3>")
    step = w.VBox([heading, *parts])
    step.add_class("cx-step")
    return step


def _button(text: str, tip: str, action: Any) -> w.Button:
    button = w.Button(description=text, tooltip=tip)
    button.add_class(f"cx-{text.lower().replace(' ', '-')}")
    button.on_click(lambda clicked: action())
    return button


def _head(account: JobAccount) -> str:
    """Say where things are launched. An account's text shows four characters of its token."""
    return (
        f"<h2>Launch a reconstruction</h2><p class='cx-help'>{escape(account.service)} at "
        f"{escape(account.base_url)}</p>"
    )
