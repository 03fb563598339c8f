"""The node's options as typed parameters, and what a user's wishes become.

Knows how ``GET /options`` describes an option, and how a value is checked against that before
anything is sent. The list is the node's own: it differs between versions of the engine. Must not
know jobs.

Sources: NodeODM's API document, *Option*; its MIGRATION.md (since 2.1.2 the help holds
``%(default)s`` and ``%(choices)s``); answers of a NodeODM 2.2.4 (kinds and ranges). Names the node
does not know are dropped there without a word, so they are refused here.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from cupixgeo.errors import ArgumentError
from cupixgeo.net.session import Session
from cupixgeo.services.nodeodm import wire
from cupixgeo.services.offer import Argument, Kind

PRODUCTS = ("pointcloud", "mesh", "orthophoto", "dsm", "dtm", "report")
"""Products that can be asked for. The point cloud is always made."""

_WANTED = {"dsm": "dsm", "dtm": "dtm"}
_UNWANTED = {"mesh": "skip-3dmodel", "orthophoto": "skip-orthophoto", "report": "skip-report"}
_SIGNED = re.compile(r"(positive|negative) (?:integer|float)")
_WITHIN = re.compile(r"(?:integer|float): ([-+.\d]+) <= x <= ([-+.\d]+)")
_BOUND = re.compile(r"(?:integer|float) (>=|<=|>|<) ([-+.\d]+)")
_UNIT = re.compile(r"\[([^\]]+)\]")
_TOLD = re.compile(r"\.? ?(Can be one of|Default): [^:]*$|\.? ?Can be one of: .*", re.DOTALL)
_KINDS: Mapping[str, Kind] = {"int": "int", "float": "number", "bool": "bool"}
_COMPARISONS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge,
    "<=": operator.le,
    ">": operator.gt,
    "<": operator.lt,
}


@dataclass(frozen=True)
class NodeOption:
    """One option of the node.

    Parameters
    ----------
    name : str
        As the node calls it: ``"orthophoto-resolution"``.
    kind : str
        ``"int"``, ``"float"``, ``"bool"``, ``"enum"`` or ``"string"``.
    default : int, float, bool or str
        What it is where nothing is said.
    domain : str or tuple of str
        The range in the node's words, or the choices.
    help : str
        What it does.
    """

    name: str
    kind: str
    default: Any
    domain: str | tuple[str, ...]
    help: str

    @property
    def parameter(self) -> str:
        """Its name as a keyword argument: ``"orthophoto_resolution"``."""
        return self.name.replace("-", "_")

    def argument(self, default: Any) -> Argument:
        """Describe it for forms, with `default` as what holds where nothing is said."""
        low, high = self._limits()
        unit = _UNIT.search(self.help)
        return Argument(
            self.parameter,
            _KINDS.get(self.kind, "text"),
            _TOLD.sub("", self.help).strip(),
            None if default == "" else default,
            tuple(choice for choice in self.domain if choice)
            if isinstance(self.domain, tuple)
            else (),
            low=low,
            high=high,
            unit=unit[1] if unit else "",
        )

    def _limits(self) -> tuple[float | None, float | None]:
        """Give the range, ends included, where its words say one."""
        domain = str(self.domain)
        if match := _SIGNED.fullmatch(domain):
            return (0.0, None) if match[1] == "positive" else (None, 0.0)
        if match := _WITHIN.fullmatch(domain):
            return float(match[1]), float(match[2])
        return None, None

    @property
    def range(self) -> str:
        """What it can be, in words."""
        return self.domain if isinstance(self.domain, str) else ", ".join(self.domain)

    def checked(self, value: Any) -> Any:
        """Give a value as it is sent.

        Raises
        ------
        ArgumentError
            If it is of another kind, or outside the range.
        """
        if isinstance(self.domain, tuple):
            if value not in self.domain:
                raise self._refused(value)
            return value
        if self.kind == "bool":
            if not isinstance(value, bool):
                raise self._refused(value)
            return value
        if self.kind in ("int", "float"):
            is_number = isinstance(value, int | float) and not isinstance(value, bool)
            if not is_number or not math.isfinite(value) or not self._is_within(value):
                raise self._refused(value)
            if self.kind == "int" and value != int(value):
                raise self._refused(value)
            return int(value) if self.kind == "int" else value
        if not isinstance(value, str):
            raise self._refused(value)
        return value

    def _is_within(self, value: float) -> bool:
        domain = str(self.domain)
        if match := _SIGNED.fullmatch(domain):
            return value >= 0 if match[1] == "positive" else value <= 0
        if match := _WITHIN.fullmatch(domain):
            return float(match[1]) <= value <= float(match[2])
        if match := _BOUND.fullmatch(domain):
            return _COMPARISONS[match[1]](value, float(match[2]))
        return True

    def _refused(self, value: Any) -> ArgumentError:
        kinds = {"int": "a whole number", "float": "a number", "bool": "True or False"}
        what = kinds.get(self.kind, "one of" if isinstance(self.domain, tuple) else "a text")
        among = f" ({self.range})" if self.range and self.kind != "bool" else ""
        return ArgumentError(
            f"{self.parameter}={value!r} cannot be sent: it is {what}{among}, "
            f"{self.default!r} where nothing is said."
        )


def ask_options(session: Session) -> tuple[NodeOption, ...]:
    """Ask the node for its options."""
    answer = wire.ask(session, "GET", "options")
    if not isinstance(answer, list):
        wire.misunderstood(session, "GET /options", "no list")
    return tuple(_read(row) for row in answer if isinstance(row, Mapping) and row.get("name"))


def _read(row: Mapping[str, Any]) -> NodeOption:
    sent, kind = str(row.get("value", "")), str(row.get("type", "string"))
    domain = row.get("domain") or ""
    choices = tuple(str(choice) for choice in domain) if isinstance(domain, list) else str(domain)
    shown = ", ".join(choices) if isinstance(choices, tuple) else choices
    text = str(row.get("help") or "").replace("%(default)s", sent).replace("%(choices)s", shown)
    return NodeOption(str(row["name"]), kind, _typed(kind, sent), choices, text)


def _typed(kind: str, sent: str) -> Any:
    """Give a default, which always comes as text, its type."""
    try:
        if kind == "bool":
            return sent == "true"
        if kind == "int":
            return int(sent)
        return float(sent) if kind == "float" else sent
    except ValueError:
        return sent


def choose(
    options: Sequence[NodeOption], asked: Mapping[str, Any], products: Iterable[str] = ()
) -> dict[str, Any]:
    """Check what was asked for.

    Parameters
    ----------
    options : sequence of NodeOption
        What the node offers.
    asked : mapping
        Values by the option's name or parameter name.
    products : iterable of str
        Of `PRODUCTS`; empty for the node's default. What is not among them is left out where the
        node can.

    Returns
    -------
    dict of str to value
        By the node's names; what is not in it stays at the node's default.

    Raises
    ------
    ArgumentError
        If a name is unknown, a value is refused, or a product is not made here.
    """
    known = {option.parameter: option for option in options}
    chosen: dict[str, Any] = {}
    for name, value in asked.items():
        option = known.get(name.replace("-", "_"))
        if option is None:
            raise _unknown(name, known)
        chosen[option.name] = option.checked(value)
    offered = {option.name for option in options}
    for name, value in _implied(tuple(products), offered).items():
        if chosen.setdefault(name, value) != value:
            raise ArgumentError(
                f"{name.replace('-', '_')}={chosen[name]!r} contradicts "
                f"products={list(products)}: give one of them."
            )
    return chosen


def arguments_of(options: Sequence[NodeOption], products: Iterable[str]) -> list[Argument]:
    """Describe the options, with the defaults that hold for `products`."""
    implied = _implied(tuple(products), {option.name for option in options})
    return [option.argument(implied.get(option.name, option.default)) for option in options]


def _implied(products: tuple[str, ...], offered: set[str]) -> dict[str, bool]:
    """Turn products into switches of the node."""
    for product in products:
        if product not in PRODUCTS or (product in _WANTED and _WANTED[product] not in offered):
            raise ArgumentError(
                f"this node does not make {product!r}; it makes {', '.join(PRODUCTS)}."
            )
    if not products:
        return {}
    wanted = {_WANTED[product]: True for product in products if product in _WANTED}
    unwanted = {name: True for product, name in _UNWANTED.items() if product not in products}
    return wanted | {name: value for name, value in unwanted.items() if name in offered}


def _unknown(name: str, known: Mapping[str, NodeOption]) -> ArgumentError:
    near = get_close_matches(name.replace("-", "_"), known, n=1, cutoff=0.5)
    hint = f" Did you mean {near[0]}= ({known[near[0]].help.strip()})?" if near else ""
    return ArgumentError(
        f"this node has no option {name!r} and would drop it without a word.{hint} "
        "account.options() lists them all."
    )
