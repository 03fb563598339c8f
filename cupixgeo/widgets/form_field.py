"""One field of a form: a label with its unit, an input, what it means, and what is wrong with it.

Knows which input suits which kind of argument, and how what was typed becomes a value. Must not
know which values a service takes: that is asked for elsewhere, and said here.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from html import escape
from typing import Any

import ipywidgets as w

from cupixgeo.errors import ArgumentError
from cupixgeo.services.offer import Argument

AS_THE_SERVICE_DECIDES = "as the service decides"
UNSAID = ""
"""Value of a choice nobody made: browsers show no label for None."""

_WIDTH = "100%"


class Noted(w.VBox):
    """Inputs with a place below for what they mean, and for what is wrong with them.

    Parameters
    ----------
    inputs : sequence of ipywidgets.Widget
        From top to bottom.
    help : str
        What they mean.
    """

    def __init__(self, inputs: Sequence[w.Widget], help: str = "") -> None:
        self._help, self._fault = help, ""
        self._note = w.HTML()
        self._note.add_class("cx-field-note")
        super().__init__([*inputs, self._note])
        self.add_class("cx-field")
        self._tell()

    @property
    def help(self) -> str:
        """What they mean, or how they stand."""
        return self._help

    @help.setter
    def help(self, text: str) -> None:
        if text != self._help:
            self._help = text
            self._tell()

    @property
    def fault(self) -> str:
        """What is wrong with them; empty where nothing is."""
        return self._fault

    @fault.setter
    def fault(self, text: str) -> None:
        if text != self._fault:
            self._fault = text
            (self.add_class if text else self.remove_class)("cx-field-wrong")
            self._tell()

    def _tell(self) -> None:
        help = f'<div class="cx-help">{escape(self._help)}</div>' if self._help else ""
        wrong = f'<div class="cx-wrong" role="alert">{escape(self._fault)}</div>'
        self._note.value = help + (wrong if self._fault else "")


class Field(Noted):
    """An input for one argument.

    Parameters
    ----------
    argument : Argument
        What it is for.
    on_change : callable
        Called without arguments after the user changed it.
    """

    def __init__(self, argument: Argument, on_change: Callable[[], None]) -> None:
        self.argument = argument
        self.input = _input(argument)
        self._start = self.input.value
        super().__init__([self.input], _help(argument))
        self.add_class(f"cx-field-{argument.name}")
        self.input.observe(lambda change: on_change(), "value")

    @property
    def key(self) -> tuple[str, str]:
        """Group and name: unique in a form."""
        return self.argument.group, self.argument.name

    @property
    def raw(self) -> Any:
        """What the input holds."""
        return self.input.value

    @raw.setter
    def raw(self, value: Any) -> None:
        is_choice = isinstance(self.input, w.Dropdown)
        if not is_choice or value in {choice for _, choice in self.input.options}:
            self.input.value = value

    @property
    def is_changed(self) -> bool:
        """Whether something else than the default stands there."""
        if self.input.value == self._start:
            return False
        try:
            return bool(self.value != self.argument.default)
        except ArgumentError:
            return True

    @property
    def value(self) -> Any:
        """What was entered, as the call takes it.

        Raises
        ------
        ArgumentError
            If it cannot be read as what it has to be.
        """
        raw = self.input.value
        return _read(self.argument, raw) if isinstance(raw, str) else raw

    @value.setter
    def value(self, value: Any) -> None:
        self.raw = _typed(self.argument, value)

    def reset(self) -> None:
        """Go back to the default."""
        self.input.value = self._start

    def matches(self, words: str) -> bool:
        """Whether all words occur in its name or meaning."""
        text = f"{self.argument.name} {label(self.argument)} {self.argument.meaning}".lower()
        return all(word in text for word in words.lower().split())


def label(argument: Argument) -> str:
    """Name an argument as people read it: ``"orthophoto resolution [cm/pixel]"``."""
    words = argument.name.replace("_", " ")
    is_said = not argument.unit or words.endswith(f" {argument.unit}")
    return words if is_said else f"{words} [{argument.unit}]"


def _help(argument: Argument) -> str:
    """Say what it means, its range and what it needs."""
    parts = [argument.meaning] if argument.meaning else []
    if argument.low is not None and argument.high is not None:
        parts.append(f"{argument.low:,g} to {argument.high:,g}")
    elif argument.low is not None:
        parts.append(f"at least {argument.low:,g}")
    elif argument.high is not None:
        parts.append(f"at most {argument.high:,g}")
    if argument.needs:
        parts.append(f"needs {argument.needs.replace('_', ' ')}")
    return ". ".join(part[:1].upper() + part[1:].rstrip(".") for part in parts)


def _input(argument: Argument) -> Any:
    """Make the input that suits an argument."""
    tip = f"{argument.name}: {_help(argument)}"
    common = {
        "description": label(argument),
        "tooltip": tip,
        "style": {"description_width": "12.5em"},
        "layout": w.Layout(width=_WIDTH),
    }
    if argument.choices:
        start = UNSAID if argument.default is None else argument.default
        return w.Dropdown(options=_options(argument), value=start, **common)
    if argument.kind == "bool" and argument.default is None:
        options = [(AS_THE_SERVICE_DECIDES, UNSAID), ("yes", True), ("no", False)]
        return w.Dropdown(options=options, value=UNSAID, **common)
    if argument.kind == "bool":
        return w.Checkbox(value=bool(argument.default), indent=True, **common)
    shown = _shown(argument)
    if argument.kind == "object":
        return w.Textarea(rows=2, placeholder=shown, continuous_update=False, **common)
    return w.Text(placeholder=shown, continuous_update=False, **common)


def _options(argument: Argument) -> list[tuple[str, Any]]:
    labels = argument.labels or tuple(str(choice) for choice in argument.choices)
    options = list(zip(labels, argument.choices, strict=True))
    if argument.default is None:
        return [(AS_THE_SERVICE_DECIDES, UNSAID), *options]
    if argument.default not in argument.choices:
        options.insert(0, (str(argument.default), argument.default))
    return [
        (f"{text} (default)" if value == argument.default else text, value)
        for text, value in options
    ]


def _shown(argument: Argument) -> str:
    """Say in an empty input what holds while it is empty."""
    if argument.default is not None:
        return f"{_typed(argument, argument.default)} (default)"
    if argument.kind in ("texts", "files"):
        return "none; several with commas between them"
    return "none" if argument.kind in ("file", "object") else AS_THE_SERVICE_DECIDES


def _typed(argument: Argument, value: Any) -> Any:
    """Write a value as it would be entered."""
    if argument.choices or argument.kind == "bool":
        return UNSAID if value is None else value
    if value is None:
        return ""
    if argument.kind == "object":
        return json.dumps(value)
    if argument.kind in ("texts", "files") and not isinstance(value, str):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, float) and value == round(value, 4) else str(value)


def _read(argument: Argument, text: str) -> Any:
    """Read what was typed."""
    text = text.strip()
    if not text or argument.choices:
        return text or argument.default
    if argument.kind in ("int", "number"):
        return _number(argument, text)
    if argument.kind == "object":
        try:
            value = json.loads(text)
        except ValueError as error:
            raise ArgumentError(f"This is no JSON: {error}.") from error
        if not isinstance(value, dict):
            raise ArgumentError('This is no JSON object: write one like {"name": 1}.')
        return value
    if argument.kind in ("texts", "files"):
        return [part.strip() for part in text.split(",") if part.strip()]
    return text


def _number(argument: Argument, text: str) -> int | float:
    plain = text.replace(" ", "").replace("_", "")
    try:
        return int(plain)
    except ValueError:
        pass
    try:
        return float(plain)
    except ValueError:
        unit = f" of {argument.unit}" if argument.unit else ""
        raise ArgumentError(f"{text!r} is no number{unit}.") from None
