"""A form made of what a service offers: one mechanism for all services, also those to come.

Knows arguments as data. What is wrong with a value the service itself says, through `check`; the
form finds out beside which field to say it. Must not know any service.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from html import escape
from typing import Any, TypeVar

import ipywidgets as w

from cupixgeo.errors import CupixGeoError
from cupixgeo.services.offer import Argument, Offer
from cupixgeo.widgets.form_field import Field

MANY = 12
"""Fields from which on there is a box to look for one."""

OTHERS = Argument("others", "object", "further parameters of the service, as JSON")

K = TypeVar("K", bound=Hashable)
Check = Callable[[Mapping[K, Any]], None]


class Form(w.VBox):
    """Fields for all arguments of an offer; only what was changed is read back.

    Parameters
    ----------
    offer : Offer
        What can be chosen.
    on_change : callable
        Called without arguments after a change.
    """

    def __init__(self, offer: Offer, on_change: Callable[[], None]) -> None:
        self._on_change = on_change
        self._offer = Offer()
        self._find = w.Text(
            placeholder="find a parameter",
            description="Find",
            tooltip="Show only parameters with these words",
            layout=w.Layout(width="22em"),
            style={"description_width": "3em"},
        )
        self._find.add_class("cx-find")
        self._find.observe(lambda change: self._show(), "value")
        self._reset = w.Button(
            description="Defaults", tooltip="Set all parameters back to their defaults"
        )
        self._reset.add_class("cx-defaults")
        self._reset.on_click(lambda button: self.reset())
        self._bar = w.HBox([self._find, self._reset])
        self._bar.add_class("cx-form-bar")
        self.fields: dict[tuple[str, str], Field] = {}
        super().__init__()
        self.add_class("cx-form")
        self.offer = offer

    @property
    def offer(self) -> Offer:
        """What can be chosen; setting another one keeps what was changed and still exists."""
        return self._offer

    @offer.setter
    def offer(self, offer: Offer) -> None:
        if self.fields and offer == self._offer:
            return
        self._offer = offer
        changed = {key: field.raw for key, field in self.fields.items() if field.is_changed}
        arguments = (*offer.arguments, *((OTHERS,) if offer.takes_others else ()))
        self.fields = {(item.group, item.name): Field(item, self._on_change) for item in arguments}
        for key in changed.keys() & self.fields.keys():
            self.fields[key].raw = changed[key]
        self._grids = self._lay_out()
        self._bar.layout.display = None if self.fields else "none"
        self._find.layout.display = None if len(self.fields) > MANY else "none"
        self.children = (self._bar, *self._grids)
        self._show()

    def _lay_out(self) -> list[w.Widget]:
        """Make a grid for each group, below its heading."""
        titles = {group.name: group.title for group in self._offer.groups}
        names = list(dict.fromkeys(field.argument.group for field in self.fields.values()))
        parts: list[w.Widget] = []
        for name in names:
            grid = w.GridBox([f for f in self.fields.values() if f.argument.group == name])
            grid.add_class("cx-fields")
            title = titles.get(name, "Others" if titles else "")
            heading = w.HTML(f'<h4 class="cx-group">{escape(title)}</h4>')
            parts.append(w.VBox([heading, grid]) if title else grid)
        return parts

    # -- values ----------------------------------------------------------------------------------

    @property
    def changed(self) -> dict[tuple[str, str], Field]:
        """The fields that hold something else than their default, by group and name."""
        return {key: field for key, field in self.fields.items() if field.is_changed}

    @property
    def values(self) -> dict[str, Any]:
        """What was changed, as keyword arguments of ``account.plan``.

        Raises
        ------
        ArgumentError
            If something cannot be read.
        """
        return as_keywords({key: field.value for key, field in self.changed.items()})

    def fill(self, values: Mapping[str, Any]) -> None:
        """Enter keyword arguments of ``account.plan``; those there is no field for are left."""
        for (group, name), field in self.fields.items():
            source = values.get(group, {}) if group else values
            if isinstance(source, Mapping) and name in source:
                field.value = source[name]

    def reset(self) -> None:
        """Set all back to the defaults."""
        for field in self.changed.values():
            field.reset()

    def _show(self) -> None:
        """Show the fields that are looked for; those with a fault are never hidden."""
        words = self._find.value
        for field in self.fields.values():
            is_shown = field.matches(words) or bool(field.fault)
            field.layout.display = None if is_shown else "none"


def as_keywords(values: Mapping[tuple[str, str], Any]) -> dict[str, Any]:
    """Nest values by group and name as ``account.plan`` takes them."""
    keywords: dict[str, Any] = {}
    for (group, name), value in values.items():
        if group:
            keywords.setdefault(group, {})[name] = value
        elif name == OTHERS.name and isinstance(value, Mapping):
            keywords |= value
        else:
            keywords[name] = value
    return keywords


def find_faults(values: Mapping[K, Any], check: Check[K], name_of: Callable[[K], str]) -> Faults[K]:
    """Find out which of several values are refused, when the refusal is all that is known.

    A value is at fault if the refusal is another one, or none, without it.

    Parameters
    ----------
    values : mapping
        What was entered, in the order it should be blamed in.
    check : callable
        Raises for values that are refused.
    name_of : callable
        Name of an entry as refusals call it: those named are tried first.

    Returns
    -------
    dict
        Entry → message. What no single entry is to blame for stands under None.
    """
    faults: Faults[K] = {}
    left = dict(values)
    message = _refusal(left, check)
    while message:
        named = sorted(left, key=lambda key: name_of(key) not in message)
        for key in named:
            without = {other: value for other, value in left.items() if other != key}
            after = _refusal(without, check)
            if after != message:
                faults[key], left, message = message, without, after
                break
        else:
            faults[None] = message
            break
    return faults


def _refusal(values: Mapping[K, Any], check: Check[K]) -> str:
    try:
        check(values)
    except CupixGeoError as error:
        return str(error)
    return ""


Faults = dict[K | None, str]
"""Entry → what is wrong with it; None for what is wrong with all of them together."""
