"""What the emulated OpenScanCloud can be told to do otherwise.

The public record contradicts itself in places and is silent in others; each such point is a field
here, its default the reading that the later sources support.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class OpenScanSettings:
    """Switches of the emulated OpenScanCloud; they may be changed while it runs.

    Parameters
    ----------
    part_bytes : int
        [byte] most an upload link takes.
    upload_link_lifetime_s : float
        [s] an upload link works.
    stages : tuple of (str, float)
        States after the start and how long each lasts [s].
    ready_after_polls : int or None
        End after so many questions instead of by the clock.
    outcome : str
        ``"processing done"``, or the word in which projects started from now on end.
    keeps_results_s : float
        [s] until a result is ``expired``; the real period is not known.
    link_delay_s : float
        [s] by which ``dlink`` comes later than ``processing done``.
    link_shape : {"share", "page", "direct"}
        Form of ``dlink``: a share link with ``dl=0``, a page with the link as ``id``, the file.
    start_word : str
        Status that starting answers with; ``"started"`` in 2021.
    credit_is_remaining : bool
        Whether creating answers with the credit left (2024), or the credit used (2021).
    unknown_is_empty : bool
        Whether an unknown project answers 200 with ``{}`` instead of 401.
    refuses_existing : bool
        Whether a name can be used again only while the project is ``created``.
    refunds : bool
        Whether a reset gives the credit back.
    checks_limits : bool
        Whether creating compares with credit and limits.
    """

    part_bytes: int = 200_000_000
    upload_link_lifetime_s: float = 14_400.0
    stages: tuple[tuple[str, float], ...] = (
        ("initialized", 60.0),
        ("file approved", 60.0),
        ("processing started", 1800.0),
    )
    ready_after_polls: int | None = None
    outcome: str = "processing done"
    keeps_results_s: float = 14 * 86_400.0
    link_delay_s: float = 0.0
    link_shape: str = "share"
    start_word: str = "initialized"
    credit_is_remaining: bool = True
    unknown_is_empty: bool = False
    refuses_existing: bool = True
    refunds: bool = False
    checks_limits: bool = True
