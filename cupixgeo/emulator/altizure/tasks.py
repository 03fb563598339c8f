"""Reconstructions: who may start one, what it costs, how it goes on, how it ends.

Knows tasks and coins. Knows no GraphQL.

References
----------
altizure/dev-docs en/api-reconstruction.md (ten kinds of error; they are documented inside the live
service only, so numbers and texts here are this emulator's own), changelog 1.2.0
(preStartReconstruction), 1.3.0 (several coupons), 1.6.1 (refund within 15 minutes);
altizure/user-docs about-payment.md (1 coin a gigapixel; a failed reconstruction is refunded).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cupixgeo.emulator.altizure.records import Coupon, Project, Task
from cupixgeo.emulator.altizure.rules import Rules, gigapixels

_AT_WORK = ("Uploaded", "Verifying", "Copying")
"""States of images the worker has in hand; one that never arrived does not hinder a start."""

START_ERRORS = {
    1: ("NotAuthenticated", "The user token is missing or not valid."),
    2: ("ProjectNotFound", "The project does not exist or belongs to somebody else."),
    3: ("NotEnoughCoins", "The balance does not cover this reconstruction."),
    4: ("FreeQuotaExceeded", "The project is larger than the free quota."),
    5: ("NotEnoughImages", "There are not enough ready images."),
    6: ("ImagesProcessing", "Some images are still being processed."),
    7: ("Unchanged", "Nothing has changed since the last reconstruction."),
    8: ("AlreadyRunning", "A task of this project is queued or running."),
    9: ("InvalidCoupon", "A coupon is unknown, used or expired."),
    10: ("NotAllowed", "Not possible now: read-only mode, or a task type that is not allowed."),
}
"""Why a start is refused: number, name, message; the reasons are documented, the numbers not."""

ERROR_TEXTS = {
    "EmulatedNotEnoughOverlap": ("The images do not overlap enough.", "Take more images."),
    "EmulatedNoPosition": ("No image could be placed.", "Add poses, or images with positions."),
    "EmulatedOutOfMemory": ("The model is too large.", "Split the project."),
    "EmulatedModelUnreadable": ("The uploaded model cannot be read.", "Upload a zip with OBJ."),
}
"""Description and solution of each emulated PROJECT_ERROR_CODE."""


def gigapixels_of(project: Project) -> float:
    """Return the gigapixels of the usable images."""
    return sum(gigapixels(image.width, image.height) for image in project.usable_images)


def refuse_start(
    project: Project | None, options: dict[str, Any], now: float, rules: Rules
) -> int | None:
    """Return the number of the reason why a reconstruction may not start, None if it may."""
    if rules.refuse_start is not None:
        return rules.refuse_start
    if project is None:
        return 2
    if rules.system_mode != "Normal":
        return 10
    if project.running is not None:
        return 8
    if project.is_imported:
        return None if project.models else 5
    if options.get("taskType") == "Dense" and project.type != "pro":
        return 10
    if any(image.state in _AT_WORK for image in project.open_images.values()):
        return 6
    if len(project.usable_images) < rules.min_images:
        return 5
    last = next((task for task in reversed(project.tasks) if task.outcome == "done"), None)
    if last is not None and last.images == _checksums(project):
        return 7
    coupons = coupons_of(project, options)
    if any(coupon is None or coupon.used or not _valid(coupon, now) for coupon in coupons):
        return 9
    if project.type == "free":
        return 4 if gigapixels_of(project) > project.owner.free_gp_quota else None
    due = _price(project) - sum(coupon.value for coupon in coupons if coupon)
    return 3 if due > project.owner.balance else None


def start(project: Project, options: dict[str, Any], now: float, *, id: str, rules: Rules) -> Task:
    """Queue a reconstruction and take what it costs."""
    task = Task(
        id=id,
        task_type=options.get("taskType") or "Native",
        queued=now,
        state=rules.word("queued"),
        images=_checksums(project),
        gigapixel=gigapixels_of(project),
        total_steps=len(rules.steps),
    )
    if project.type == "pro" and not project.is_imported:
        task.coupons = [coupon for coupon in coupons_of(project, options) if coupon is not None]
        for coupon in task.coupons:
            coupon.used = True
        task.paid = max(0.0, _price(project) - sum(coupon.value for coupon in task.coupons))
        project.owner.balance -= task.paid
    project.tasks.append(task)
    project.error = project.error_code = None
    project.pre_start = None
    return task


def stop(project: Project, now: float, rules: Rules) -> Task | None:
    """Stop the task that is queued or running; None when there is none."""
    task = project.running
    if task is None:
        return None
    _end(task, "stopped", now, rules)
    if now - task.queued <= rules.refund_s:
        _refund(project, task)
    return task


def advance_task(
    project: Project, now: float, rules: Rules, *, finish: Callable[[float], None]
) -> None:
    """Let the running task do everything that is due by `now` [s since 1970].

    Parameters
    ----------
    project : Project
        The project.
    now : float
        [s] since 1970-01-01 UTC.
    rules : Rules
        Durations and words.
    finish : callable
        Told when a task has succeeded, [s] since 1970-01-01 UTC: makes the results.
    """
    task = project.running
    if task is None:
        return
    begin = task.queued + rules.queue_s
    if now < begin:
        return
    task.started = begin
    step = int((now - begin) / rules.step_s) if rules.step_s > 0 else task.total_steps
    end = begin + rules.step_s * task.total_steps
    if rules.fail_task is not None and step >= 1:
        _fail(project, task, begin + rules.step_s, rules)
        return
    if now < end:
        task.step = step + 1
        task.state = rules.steps[min(step, len(rules.steps) - 1)]
        return
    task.step = task.total_steps
    _end(task, "done", end, rules)
    project.last_done_gp = task.gigapixel
    finish(end)


def coupons_of(project: Project, options: dict[str, Any]) -> list[Coupon | None]:
    """Return the owner's coupons that are named in the options; None for one that is not there."""
    known = {coupon.id: coupon for coupon in project.owner.coupons}
    return [known.get(id) for id in options.get("coupons") or ()]


def _valid(coupon: Coupon, now: float) -> bool:
    from cupixgeo.emulator.clock import iso_time

    return coupon.start_date <= iso_time(now) <= coupon.end_date


def _price(project: Project) -> float:
    """Return what a reconstruction costs, in Alticoins."""
    membership = project.owner.membership
    return gigapixels_of(project) * (1.0 if membership is None else membership.coin_per_gp)


def _checksums(project: Project) -> frozenset[str]:
    return frozenset(image.checksum or image.id for image in project.usable_images)


def _fail(project: Project, task: Task, at: float, rules: Rules) -> None:
    project.error_code = rules.fail_task
    project.error = ERROR_TEXTS[rules.fail_task or ""][0]
    _end(task, "failed", at, rules)
    _refund(project, task)


def _end(task: Task, outcome: str, at: float, rules: Rules) -> None:
    task.outcome, task.ended, task.state = outcome, at, rules.word(outcome)


def _refund(project: Project, task: Task) -> None:
    project.owner.balance += task.paid
    task.paid = 0.0
    for coupon in task.coupons:
        coupon.used = False
    task.coupons = []
