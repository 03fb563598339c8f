"""What every emulated service is given: seed, clock, options, storage and world.

Knows the options a user can set. Knows no service.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cupixgeo.emulator.clock import Clock
    from cupixgeo.emulator.storage import Storage
    from cupixgeo.emulator.world import World


@dataclass
class Options:
    """Switches of the emulator; they may be changed while it runs.

    Parameters
    ----------
    matrix_order : {"row", "column"}
        How 4×4 matrices are flattened on the wire.
    strict_storage : bool
        Whether the storage origin refuses requests that carry a service token (400).
    link_lifetime_s : float
        [s] a signed storage link works, by the emulator's clock.
    """

    matrix_order: str = "row"
    strict_storage: bool = False
    link_lifetime_s: float = 300.0

    def __setattr__(self, name: str, value: Any) -> None:
        known = {f.name for f in fields(Options)}
        if name not in known:
            raise ValueError(
                f"the emulator has no option {name!r}; there are {', '.join(sorted(known))}"
            )
        if name == "matrix_order" and value not in ("row", "column"):
            raise ValueError(f"matrix_order is 'row' or 'column', not {value!r}")
        if name == "link_lifetime_s" and not value > 0:
            raise ValueError(f"link_lifetime_s is more than 0 s, not {value!r}")
        object.__setattr__(self, name, value)


@dataclass(frozen=True)
class Stage:
    """Everything a service may use."""

    seed: int
    clock: Clock
    options: Options
    storage: Storage
    world: World


def fake_token(seed: int, *parts: str, length: int = 20) -> str:
    """Return a token that is the same for the same seed and parts, and obviously not a real one.

    >>> fake_token(7, "cupix", "north")
    'emu-cupix-north-5da0c9278e99bd340335'
    """
    digest = hashlib.sha256("/".join((str(seed), *parts)).encode()).hexdigest()
    return "-".join(("emu", *parts, digest[:length]))
