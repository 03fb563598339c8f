"""What the emulated Teleport can be told to do otherwise, and what nobody outside knows for sure.

Every value the public record is silent about is a field here; its default is a decision.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class TeleportSettings:
    """Switches of the emulated Teleport; they may be changed while it runs.

    Parameters
    ----------
    chunk_size : int
        [byte] size of an upload part of captures made from now on.
    token_lifetime_s : float
        [s] an access token works.
    upload_link_lifetime_s : float
        [s] an upload link works; the service does not say how long.
    stages : tuple of (str, float)
        States after the upload and how long each lasts [s]; ``READY`` or ``ERROR`` follows. Clients
        guess at ``UPLOADED`` and ``QUEUED``, too; only ``PROCESSING`` is known.
    ready_after_polls : int or None
        End after so many listings instead of by the clock.
    outcome : str
        ``"READY"``, or the error reason in which captures uploaded from now on end.
    min_frames, max_frames : int
        Photos a capture needs, and the most a developer plan takes (third parties' figure).
    max_bytes, max_parts : int
        [byte] largest upload (third parties' figure); most parts (a rule of S3).
    camera_numbers : {16, 12, 7}
        Numbers in a camera's ``matrix``: 4×4, 3×4, or position and quaternion.
    name_filter : {"contains", "equals"}
        How ``name`` narrows the list.
    newest_first : bool
        Order of the list.
    reposition : tuple of float or None
        A user's correction: quaternion x, y, z, w and scale; None where there is none.
    share_is_public : bool
        Whether a share page may be read without a token.
    """

    chunk_size: int = 10_485_760
    token_lifetime_s: float = 3600.0
    upload_link_lifetime_s: float = 3600.0
    stages: tuple[tuple[str, float], ...] = (("PROCESSING", 1200.0),)
    ready_after_polls: int | None = None
    outcome: str = "READY"
    min_frames: int = 3
    max_frames: int = 3000
    max_bytes: int = 10_000_000_000
    max_parts: int = 10_000
    camera_numbers: int = 16
    name_filter: str = "contains"
    newest_first: bool = True
    reposition: tuple[float, float, float, float, float] | None = None
    share_is_public: bool = False
