"""Why tasks fail, and what their user can do about it.

Knows the node's messages. Must not know jobs.

Sources: NodeODM 2.2.4 (messages by exit code of the engine); OpenDroneMap's documentation,
*Troubleshooting*.
"""

from __future__ import annotations

from collections.abc import Sequence

_REMEDIES: tuple[tuple[str, str], ...] = (
    (
        "not enough memory",
        "Lower pc_quality or feature_quality, set split=, or use a computer with more memory",
    ),
    (
        "cannot process dataset",
        "The photos may overlap too little or be of different places: look at plan.preflight and "
        "at the job's history()",
    ),
    ("unsupported cpu", "The node needs another computer, or an engine built for this one"),
    ("installation issue", "Ask whoever runs the node to reinstall the engine"),
    ("images uploaded, but", "Send fewer photos, or raise the node's --max_images"),
    ("could not start process", "Ask whoever runs the node to look at its log"),
    ("could not extract", "The upload was damaged: launch the job again"),
)


def explained(error: str, lines: Sequence[str] = ()) -> str:
    """Say in one text why a task failed.

    Parameters
    ----------
    error : str
        What the node says; may be empty.
    lines : sequence of str
        The last lines of its console.
    """
    said = error.rstrip(".") or "the node gives no reason"
    printed = [line.partition("]")[2].strip() for line in lines if line.startswith("[ERROR]")]
    if printed and printed[-1] not in said:
        said = f"{said}; the engine says {printed[-1][:200]!r}"
    lowered = error.lower()
    remedy = next((text for words, text in _REMEDIES if words in lowered), "")
    return f"{said}. {remedy}" if remedy else said
