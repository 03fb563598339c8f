"""Refusals in FastAPI's shapes, and the reading of queries and bodies that can bring them.

Knows ``{"detail": ...}``. Knows no route.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from cupixgeo.emulator.wire import Request

_TRUE = ("1", "true", "on", "yes", "t", "y")
_FALSE = ("0", "false", "off", "no", "f", "n")


class RefusedError(ValueError):
    """The request is refused.

    Parameters
    ----------
    status : int
        HTTP status.
    content : JSON value
        The whole body.
    """

    def __init__(self, status: int, content: Any) -> None:
        super().__init__(f"status {status}")
        self.status = status
        self.content = content


def refused(status: int, detail: str) -> RefusedError:
    """Return a refusal with one sentence."""
    return RefusedError(status, {"detail": detail})


class Checked:
    """Values of a query or body; what is wrong with them is gathered.

    Parameters
    ----------
    values : Mapping
        The values.
    where : tuple of str or int
        Where they came from, as in ``detail[].loc``: ``("body",)``.
    problems : list, optional
        Where problems are gathered, for parts of a body.
    """

    def __init__(
        self,
        values: Mapping[str, Any],
        *where: str | int,
        problems: list[dict[str, Any]] | None = None,
    ) -> None:
        self.values = values
        self.where = where
        self.problems: list[dict[str, Any]] = [] if problems is None else problems

    def refuse(self, name: str | int, message: str, kind: str = "value_error") -> None:
        """Write down that the value called `name` will not do."""
        self.problems.append({"loc": [*self.where, name], "msg": message, "type": kind})

    def done(self) -> None:
        """Refuse with 422 if anything was wrong."""
        if self.problems:
            raise RefusedError(422, {"detail": self.problems})

    def text(self, name: str, *, needed: bool = True) -> str:
        """Return a text; empty where there is none or it is wrong."""
        value = self._value(name, needed=needed)
        if value is not None and not isinstance(value, str):
            self.refuse(name, "str type expected", "type_error.str")
        return value if isinstance(value, str) else ""

    def number(
        self,
        name: str,
        *,
        low: float | None = None,
        high: float | None = None,
        needed: bool = True,
        whole: bool = True,
    ) -> float | None:
        """Return a number within limits; None where there is none or it is wrong."""
        value = self._value(name, needed=needed)
        if value is None:
            return None
        number = _number(value, whole=whole)
        if number is None:
            kind = "integer" if whole else "float"
            self.refuse(name, f"value is not a valid {kind}", f"type_error.{kind}")
        elif low is not None and number < low:
            self.refuse(name, f"ensure this value is at least {low:g}", "value_error.number")
        elif high is not None and number > high:
            self.refuse(name, f"ensure this value is at most {high:g}", "value_error.number")
        else:
            return number
        return None

    def truth(self, name: str, *, default: bool | None = None) -> bool:
        """Return true or false, as FastAPI reads them; without a default it is needed."""
        value = self._value(name, needed=default is None)
        if value is None:
            return bool(default)
        word = str(value).lower()
        if word not in (*_TRUE, *_FALSE):
            self.refuse(name, "value could not be parsed to a boolean", "type_error.bool")
        return word in _TRUE

    def choice(self, name: str, allowed: tuple[Any, ...], *, needed: bool = True) -> Any:
        """Return one of the allowed values; None where there is none or it is wrong."""
        value = self._value(name, needed=needed)
        if value is not None and value not in allowed:
            shown = ", ".join(repr(item) for item in allowed)
            self.refuse(name, f"permitted: {shown}", "type_error.enum")
            return None
        return value

    def part(self, name: str) -> Checked | None:
        """Return an object inside, to be checked with the rest; None where there is none."""
        value = self._value(name, needed=False)
        if value is None:
            return None
        if not isinstance(value, Mapping):
            self.refuse(name, "value is not a valid dict", "type_error.dict")
            return None
        return Checked(value, *self.where, name, problems=self.problems)

    def listed(self, name: str, *, needed: bool = True) -> list[Any]:
        """Return a list; empty where there is none or it is wrong."""
        value = self._value(name, needed=needed)
        if value is not None and not isinstance(value, list):
            self.refuse(name, "value is not a valid list", "type_error.list")
        return value if isinstance(value, list) else []

    def _value(self, name: str, *, needed: bool) -> Any:
        value = self.values.get(name)
        if value is None and needed:
            self.refuse(name, "field required", "value_error.missing")
        return value


def read_body(request: Request) -> Checked:
    """Return the JSON object in the body; 422 where there is none."""
    try:
        content = json.loads(request.body)
    except ValueError as error:
        problem = {"loc": ["body", 0], "msg": str(error), "type": "value_error.jsondecode"}
        raise RefusedError(422, {"detail": [problem]}) from error
    if not isinstance(content, Mapping):
        problem = {"loc": ["body"], "msg": "value is not a valid dict", "type": "type_error.dict"}
        raise RefusedError(422, {"detail": [problem]})
    return Checked(content, "body")


def _number(value: Any, *, whole: bool) -> float | None:
    if isinstance(value, bool):
        return None
    try:
        return int(value) if whole and not isinstance(value, float) else float(value)
    except (TypeError, ValueError):
        return None
