"""What the service's words for tasks, images and imports mean in the common words.

Knows `Conventions`. A word nobody knows is never success.

Sources: altizure/user-docs overview-page.md (words shown to people); altizure/alti-cli README.md
(``Done``), types/task.go (fields of a task); altizure/dev-docs en/upload.md, en/imported-model.md.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cupixgeo.services.altizure.conventions import Conventions
from cupixgeo.services.job_state import JobState

USABLE_IMAGE = frozenset({"Ready", "ReadyStrong"})
FINAL_IMAGE = USABLE_IMAGE | {"Invalid"}


def was_started(word: str | None, conventions: Conventions) -> bool:
    """Say whether a project has, or had, a task."""
    return bool(word) and word not in conventions.never_started


def job_state(
    word: str | None, task: Mapping[str, Any] | None, conventions: Conventions
) -> JobState:
    """Read the state of a project's last task.

    Parameters
    ----------
    word : str or None
        ``taskState`` of the project.
    task : mapping or None
        The task itself, where the service tells it; its dates decide where the word does not.
    conventions : Conventions
        The words.
    """
    if word in conventions.done:
        return JobState.DONE
    if word in conventions.failed:
        return JobState.FAILED
    if word in conventions.stopped:
        return JobState.CANCELLED
    if word in conventions.queued:
        return JobState.QUEUED
    if task is not None and task.get("startDate") and not task.get("endDate"):
        return JobState.RUNNING
    return JobState.UNKNOWN


def fraction(task: Mapping[str, Any] | None) -> float | None:
    """Give the share of the steps that are done; None where it is not told."""
    step, total = (task or {}).get("step"), (task or {}).get("totalSteps")
    if not isinstance(step, int) or not isinstance(total, int) or total <= 0:
        return None
    return min(1.0, max(0.0, (step - 1) / total))
