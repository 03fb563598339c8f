"""What this client assumes where nothing public says how the service does it, as named settings.

No public copy of the schema exists. Every value here is inferred; when the live service shows
something else, pass a `Conventions` of your own to ``connect("altizure", conventions=...)``.

Sources: see each parameter. The words of states: altizure/user-docs overview-page.md shows them to
people; only ``Done`` is known as it is sent (altizure/alti-cli README.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Literal, Self

from cupixgeo.errors import ArgumentError

_NAME = re.compile(r"[_A-Za-z][_0-9A-Za-z]*")
_TYPE = re.compile(r"[_A-Za-z][_0-9A-Za-z]*!?|\[[_A-Za-z][_0-9A-Za-z]*!?\]!?")


@dataclass(frozen=True)
class Conventions:
    """Assumptions about the service.

    Parameters
    ----------
    coupons : {"connection", "list"}
        How ``my.coupons`` comes. Default: like every other list of a user.
    coupon_field, coupon_type : str
        Name and GraphQL type of the coupons inside ``options`` of a start (changelog 1.3.0 says
        only that they are a list of ids).
    pre_start_gives_object : bool
        Whether ``preStartReconstruction`` gives back an object.
    has_tasks : bool
        Whether ``project.tasks`` is a plain list; progress within a run comes from it. Where the
        service refuses the question, the job goes on without.
    min_images : int
        Ready images a start needs: one page of the documentation says 2, another 3.
    queued, done, failed, stopped : tuple of str
        Words for the states of a task. A word that is in none of them is never success.
    never_started : tuple of str
        Words for a project without any task, besides none at all.
    oss_region : str
        Region of an OSS endpoint that does not say it (the README of alti-cli shows ``oss_sz``).
    client_page : int
        Objects to ask for at a time in lists.
    """

    coupons: Literal["connection", "list"] = "connection"
    coupon_field: str = "coupons"
    coupon_type: str = "[ID!]"
    pre_start_gives_object: bool = True
    has_tasks: bool = True
    min_images: int = 3
    queued: tuple[str, ...] = ("Pending",)
    done: tuple[str, ...] = ("Done",)
    failed: tuple[str, ...] = ("Fail", "Failed", "NotEnoughImages", "Not enough images")
    stopped: tuple[str, ...] = ("Stopped", "Cancelled", "Canceled")
    never_started: tuple[str, ...] = ("N/A",)
    oss_region: str = "cn-shenzhen"
    client_page: int = 50

    def __post_init__(self) -> None:
        """Check what becomes part of a query's text."""
        if not _NAME.fullmatch(self.coupon_field) or not _TYPE.fullmatch(self.coupon_type):
            raise ArgumentError(
                f"coupon_field={self.coupon_field!r} or coupon_type={self.coupon_type!r} is no "
                "GraphQL name or type: give them as the live schema spells them."
            )
        if self.coupons not in ("connection", "list"):
            raise ArgumentError(f"coupons={self.coupons!r} is not 'connection' or 'list'.")

    def to_dict(self) -> dict[str, Any]:
        """Give what differs from the defaults, as JSON."""
        usual = asdict(type(self)())
        return {
            name: list(value) if isinstance(value, tuple) else value
            for name, value in asdict(self).items()
            if value != usual[name]
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any] | Self | None) -> Conventions:
        """Read what `to_dict` gives; None gives the defaults.

        Raises
        ------
        ArgumentError
            If a name is none of them.
        """
        if isinstance(values, Conventions):
            return values
        known = {field.name for field in fields(cls)}
        unknown = sorted(set(values or {}) - known)
        if unknown:
            raise ArgumentError(
                f"there is no convention {unknown[0]!r}; there are {', '.join(sorted(known))}."
            )
        given: dict[str, Any] = {
            name: tuple(value) if isinstance(value, list) else value
            for name, value in (values or {}).items()
        }
        return cls(**given)
