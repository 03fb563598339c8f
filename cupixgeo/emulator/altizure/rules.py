"""What the emulated Altizure decides where the public facts leave it open, as named settings.

Knows numbers and words. Times are by the emulator's clock.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

MIN_PIXELS = 2_073_600
"""Pixels an image counts for at least (alti-cli and the public download worker agree)."""


@dataclass
class Rules:
    """Settings of the emulated service; they may be changed while it runs.

    Parameters
    ----------
    system_mode : str
        ``"Normal"`` or ``"ReadOnly"``.
    min_images : int
        Ready images a reconstruction needs; the documentation says 2 on one page, 3 on another.
    image_step_s : float
        [s] from one image state to the next.
    image_timeout_s : float
        [s] after which an image that is not finished becomes Invalid (changelog 1.6.0).
    start_required : bool
        Whether an object that arrives before ``startImageUpload`` is passed over [inferred].
    has_image_unfinished : bool
        Whether ``hasImage`` also returns images that are not uploaded or Invalid [inferred].
    sts_leaves_image : bool
        Whether ``uploadImageOSS`` leaves an image record when only ``sts`` is selected [inferred].
    link_lifetime_s, sts_lifetime_s : float
        [s] signed URLs and temporary credentials last (upload.md: 3 hours, 1 hour).
    queue_s, step_s, package_s : float
        [s] a task waits, one of its steps takes, and the packing of the downloads takes.
    steps : tuple of str
        What the service calls the steps of a running task [inferred].
    words : dict of str to str
        How task states are spelled; only ``Done`` is certain [inferred].
    refund_s : float
        [s] within which a stopped pro project gets its coins back (changelog 1.6.1).
    start_error_code : {"number", "name"}
        Type of the code of a refused start: numbers as alti-cli reads them [inferred].
    refuse_start : int or None
        Number of the start error (see `tasks.START_ERRORS`) the next starts end in.
    fail_task : str or None
        Member of PROJECT_ERROR_CODE that running tasks end in.
    next_word : str or None
        Word the next question for a project's task state is answered with, once.
    fail_image : str or None
        Error text of the worker, for example ``"Resize Error"``, that images end in.
    fail_names : tuple of str
        Only images of these names do; empty for all.
    coin_price : float
        US dollars for an Alticoin, as in a sample of the alti-cli README.
    """

    system_mode: str = "Normal"
    min_images: int = 3
    image_step_s: float = 0.5
    image_timeout_s: float = 65 * 60.0
    start_required: bool = True
    has_image_unfinished: bool = False
    sts_leaves_image: bool = False
    link_lifetime_s: float = 3 * 3600.0
    sts_lifetime_s: float = 3600.0
    queue_s: float = 5.0
    step_s: float = 5.0
    package_s: float = 2.0
    steps: tuple[str, ...] = ("Structure", "Dense", "Mesh", "Texture")
    words: tuple[tuple[str, str], ...] = (
        ("queued", "Pending"),
        ("done", "Done"),
        ("failed", "Fail"),
        ("stopped", "Stopped"),
    )
    refund_s: float = 15 * 60.0
    start_error_code: Literal["number", "name"] = "number"
    refuse_start: int | None = None
    fail_task: str | None = None
    next_word: str | None = None
    fail_image: str | None = None
    fail_names: tuple[str, ...] = ()
    coin_price: float = 11.8

    def word(self, state: str) -> str:
        """Spell a task state as the service does."""
        return dict(self.words)[state]


def gigapixels(width: int, height: int, count: int = 1) -> float:
    """Return the gigapixels `count` images of this size are charged as.

    >>> gigapixels(4000, 3000, 100)
    1.2
    """
    return max(MIN_PIXELS, width * height) * count / 1e9
