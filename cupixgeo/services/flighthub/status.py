"""FlightHub's numbers for models and resources, and what they mean for a job.

Knows numbers. Numbers nobody documented mean "ask again", never success.

Sources: flighthub2-cli 0.1.2, ``enums.py``; aerosight's v2.0 model client; 12 also in DJI's page
"Start reconstruction task". That both 9 and 15 are success is what both clients do; that a model
with files also needs `zip_status` 2 is inferred.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cupixgeo.services.job_state import JobState
from cupixgeo.services.job_values import RemoteStatus

MODEL_TYPES: Mapping[str, int] = {"2d": 1, "3d": 2, "3dgs": 3, "lidar": 4}
"""Kind of model → `model_type`."""

MODEL_STATUS: Mapping[int, tuple[str, JobState]] = {
    8: ("reconstruction failed", JobState.FAILED),
    9: ("map reconstruction succeeded", JobState.DONE),
    12: ("requesting a machine", JobState.QUEUED),
    13: ("no machine was given", JobState.FAILED),
    14: ("reconstructing", JobState.RUNNING),
    15: ("reconstruction succeeded", JobState.DONE),
    16: ("reconstruction cancelled", JobState.CANCELLED),
}
ZIP_STATUS: Mapping[int, str] = {
    0: "not packed",
    1: "packing",
    2: "packed",
    3: "packing failed",
}
RESOURCE_STATUS: Mapping[int, str] = {
    1: "imported",
    2: "waiting to be deleted",
    3: "deleted",
}
_ERROR_GUIDE = "look the code up in DJI's reconstruction error guide"


@dataclass(frozen=True)
class ModelState:
    """How one model is.

    Parameters
    ----------
    kind : str
        ``"2d"``, ``"3d"``, ``"3dgs"`` or ``"lidar"``.
    uuid : str
        Its id.
    state : JobState
        In the common words.
    text : str
        In the service's.
    fraction : float
        Share of the state that is done, 0 to 1.
    reason : str
        Why it failed, and what to do.
    code : str
        The service's error code.
    """

    kind: str
    uuid: str
    state: JobState
    text: str
    fraction: float = 0.0
    reason: str = ""
    code: str = ""


def read_model(kind: str, row: Mapping[str, Any], *, texts: Mapping[int, str]) -> ModelState:
    """Read the details of a model.

    Parameters
    ----------
    kind : str
        Which kind it is.
    row : mapping
        The details.
    texts : mapping of int to str
        What error codes mean.
    """
    uuid = str(row.get("model_uuid", ""))
    number = row.get("model_status")
    word, state = MODEL_STATUS.get(_number(number), ("", JobState.UNKNOWN))
    text = f"{kind}: {word or 'status nobody documented'} ({number})"
    fraction = _share(row.get("reconstruction_progress"))
    if state is JobState.FAILED:
        code = row.get("error_code") or row.get("sub_error_code") or ""
        return ModelState(
            kind, uuid, state, text, fraction, _reason(kind, word, code, texts), str(code)
        )
    if state is not JobState.DONE:
        return ModelState(kind, uuid, state, text, fraction)
    zipped = row.get("zip_status")
    text = f"{text}, {ZIP_STATUS.get(_number(zipped), zipped)}"
    if zipped == 2:
        return ModelState(kind, uuid, JobState.DONE, text, 1.0)
    if zipped == 3:
        reason = f"the {kind} model is made, but its archive could not be packed; start it again"
        return ModelState(kind, uuid, JobState.FAILED, text, 1.0, reason)
    return ModelState(kind, uuid, JobState.FINISHING, text, _share(row.get("zip_progress")))


def _reason(kind: str, word: str, code: Any, texts: Mapping[int, str]) -> str:
    if not code:
        return f"the {kind} model was not made ({word}); the service gives no reason"
    meaning = texts.get(_number(code), "")
    told = f": {meaning}" if meaning else f"; {_ERROR_GUIDE}"
    return f"the {kind} model was not made ({word}, code {code}){told}"


def _share(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return 0.0
    return min(1.0, max(0.0, value / 100))


def _number(value: Any) -> int:
    """Give a whole number as it is, and anything else as one that is documented nowhere."""
    return value if isinstance(value, int) and not isinstance(value, bool) else -1


_ORDER = (
    JobState.UNKNOWN,
    JobState.QUEUED,
    JobState.RUNNING,
    JobState.FINISHING,
    JobState.FAILED,
    JobState.CANCELLED,
    JobState.DONE,
)
"""What all models are together: the first of these that one of them is."""


def together(models: Sequence[ModelState], refused: Mapping[str, Any]) -> RemoteStatus:
    """Give one status for the models of a job.

    Parameters
    ----------
    models : sequence of ModelState
        How each is.
    refused : mapping of str to value
        Kinds that were asked for and not started, with the service's code.

    Returns
    -------
    RemoteStatus
        Final only when all are; failed when one is, with the ids of those that were made.
    """
    state = next(s for s in _ORDER if any(m.state is s for m in models))
    missing = [f"the {kind} model was not started (code {code})" for kind, code in refused.items()]
    if state is JobState.DONE and missing:
        state = JobState.FAILED
    text = "; ".join(model.text for model in models)
    fraction = sum(m.fraction for m in models if m.state is state) / max(
        1, sum(m.state is state for m in models)
    )
    if state is not JobState.FAILED:
        return RemoteStatus(state, text, fraction=fraction, message="; ".join(missing))
    reasons = [*(model.reason for model in models if model.reason), *missing]
    made = [
        f"the {m.kind} model was made: account.download_model({m.uuid!r}, to=...) fetches it"
        for m in models
        if m.state is JobState.DONE
    ]
    code = next((model.code for model in models if model.code), "")
    return RemoteStatus(state, text, message="; ".join([*reasons, *made]), code=code)
