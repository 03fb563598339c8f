"""Arguments read off a dataclass: everything a form needs, from what is written there anyway."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Any, Literal

import pytest

from cupixgeo.services.altizure.parameters import Parameters
from cupixgeo.services.offer import Argument, arguments_of


class Detail(StrEnum):
    FINE = "fine"
    COARSE = "coarse"


@dataclass(frozen=True)
class Wishes:
    """What can be wished for.

    Parameters
    ----------
    detail : Detail
        How fine the mesh is.
    mode : {"fast", "exact"}
        How it is computed,
        in two lines.
    level : {1, 2, 3}
        Level.
    spacing : float
        Distance of points [m].
    first, second : bool
        Switches.
    layout : Literal
        Layout.
    files : tuple of Path
        Files.
    more : dict
        More.
    """

    detail: Detail = Detail.FINE
    mode: str = ""
    level: int = 2
    spacing: float | None = field(default=0.1, metadata={"low": 0.01, "high": 5})
    first: bool = False
    second: bool = True
    layout: Literal["row", "column"] = "row"
    files: tuple[Path, ...] = ()
    names: tuple[str, ...] = ()
    more: dict[str, Any] = field(default_factory=dict)
    own: str = "not the user's business"


@pytest.fixture(scope="module")
def found() -> dict[str, Argument]:
    return {argument.name: argument for argument in arguments_of(Wishes, leave=["own"])}


def test_order_and_names_are_those_of_the_fields(found):
    assert list(found) == [
        "detail", "mode", "level", "spacing", "first", "second", "layout", "files", "names", "more",
    ]  # fmt: skip


def test_types_follow_the_annotations(found):
    assert {name: argument.kind for name, argument in found.items()} == {
        "detail": "text", "mode": "text", "level": "int", "spacing": "number", "first": "bool",
        "second": "bool", "layout": "text", "files": "files", "names": "texts", "more": "object",
    }  # fmt: skip


def test_choices_come_from_an_enum_a_literal_or_the_docstring(found):
    assert found["detail"].choices == ("fine", "coarse")
    assert found["mode"].choices == ("fast", "exact")
    assert found["level"].choices == (1, 2, 3)
    assert found["layout"].choices == ("row", "column")


def test_defaults_are_values_and_empty_ones_leave_it_to_the_service(found):
    assert found["detail"].default == "fine"
    assert found["mode"].default is None
    assert found["second"].default is True
    assert found["files"].default is None


def test_meaning_unit_and_range_are_read(found):
    assert found["mode"].meaning == "How it is computed, in two lines."
    assert (found["spacing"].unit, found["spacing"].low, found["spacing"].high) == ("m", 0.01, 5)
    assert found["second"].meaning == "Switches."


def test_only_dataclasses_can_be_read():
    with pytest.raises(TypeError, match="no dataclass"):
        arguments_of(dict)


def test_a_service_s_own_dataclass_is_described_whole():
    described = {argument.name: argument for argument in arguments_of(Parameters)}
    assert list(described) == list(Parameters.__dataclass_fields__)
    assert all(argument.meaning for argument in described.values())
    assert described["visibility"].choices == ("private", "unlisted", "public")
