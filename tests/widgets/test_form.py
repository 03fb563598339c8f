"""The form: made of what a service offers, read back as what was changed, wrong values found."""

from __future__ import annotations

import pytest

from cupixgeo.errors import ArgumentError
from cupixgeo.services.flighthub.offer import offer
from cupixgeo.services.flighthub.settings import FlightHubSettings
from cupixgeo.services.offer import Argument, Group, Offer
from cupixgeo.widgets.form import Form, find_faults
from cupixgeo.widgets.form_field import AS_THE_SERVICE_DECIDES, Field, label

OFFER = Offer(
    arguments=(
        Argument("detail", "text", "how fine", "high", ("high", "low")),
        Argument("level", "int", "level", None, (1, 2), ("best", "fast"), group="options"),
        Argument("spacing", "number", "distance", 0.05, low=0.01, high=10, unit="m"),
        Argument("count", "int", "how many"),
        Argument("on", "bool", "switch", True),
        Argument("maybe", "bool", "switch"),
        Argument("files", "files", "files"),
        Argument("extra", "object", "anything", needs="on"),
    ),
    groups=(Group("options", "Options"),),
    takes_others=True,
)


@pytest.fixture
def form():
    changes = []
    made = Form(OFFER, lambda: changes.append(1))
    made.changes = changes
    return made


def enter(form, name, raw, group=""):
    form.fields[group, name].raw = raw


def test_nothing_changed_is_nothing_said(form):
    assert form.values == {}


@pytest.mark.parametrize(
    ("name", "group", "raw", "value"),
    [
        ("detail", "", "low", {"detail": "low"}),
        ("level", "options", 2, {"options": {"level": 2}}),
        ("spacing", "", " 0.1 ", {"spacing": 0.1}),
        ("spacing", "", "2", {"spacing": 2}),
        ("count", "", "1 000 000", {"count": 1_000_000}),
        ("on", "", False, {"on": False}),
        ("maybe", "", False, {"maybe": False}),
        ("files", "", "a.las, b c.las,", {"files": ["a.las", "b c.las"]}),
        ("extra", "", '{"a": [1]}', {"extra": {"a": [1]}}),
        ("others", "", '{"guided": true}', {"guided": True}),
    ],
)
def test_what_is_entered_is_read_back_as_keywords(form, name, group, raw, value):
    enter(form, name, raw, group)
    assert form.values == value
    assert form.changes == [1]


@pytest.mark.parametrize(("name", "raw"), [("spacing", "0.05"), ("detail", "high"), ("count", " ")])
def test_a_default_that_is_typed_is_no_change(form, name, raw):
    enter(form, name, raw)
    assert form.values == {}


@pytest.mark.parametrize(
    ("name", "raw", "says"),
    [
        ("spacing", "wide", "no number of m"),
        ("extra", "{1}", "no JSON"),
        ("extra", "[1]", "no JSON object"),
    ],
)
def test_what_cannot_be_read_is_refused_in_words(form, name, raw, says):
    enter(form, name, raw)
    with pytest.raises(ArgumentError, match=says):
        _ = form.values


def test_values_can_be_filled_in_and_reset(form):
    wanted = {"detail": "low", "spacing": 0.25, "options": {"level": 1}, "files": ["x.las"]}
    form.fill(wanted)
    assert form.values == wanted
    form.reset()
    assert form.values == {}


def test_every_input_has_a_label_a_help_and_a_tooltip(form):
    for field in form.fields.values():
        assert field.input.description == label(field.argument)
        assert field.argument.name in field.input.tooltip
        assert field.help
    assert form.fields["", "spacing"].input.description == "spacing [m]"
    assert form.fields["", "spacing"].help == "Distance. 0.01 to 10"
    assert form.fields["", "extra"].help.endswith("Needs on")


def test_what_the_service_decides_is_said_and_not_blank(form):
    choice = form.fields["options", "level"].input
    assert choice.label == AS_THE_SERVICE_DECIDES
    assert [text for text, _ in choice.options] == [AS_THE_SERVICE_DECIDES, "best", "fast"]
    assert form.fields["", "spacing"].input.placeholder == "0.05 (default)"


def test_a_fault_stands_beside_its_field_for_screen_readers_too():
    field = Field(Argument("spacing", "number", "distance"), lambda: None)
    field.fault = "<wide> is no number"
    assert 'role="alert"' in field._note.value
    assert "&lt;wide&gt;" in field._note.value
    assert "cx-field-wrong" in field._dom_classes
    field.fault = ""
    assert "alert" not in field._note.value


def test_looking_for_a_parameter_hides_the_others_but_none_with_a_fault(form):
    form.fields["", "count"].fault = "wrong"
    form._find.value = "DISTANCE"
    shown = {name for (_, name), f in form.fields.items() if f.layout.display != "none"}
    assert shown == {"spacing", "count"}


def test_another_offer_keeps_what_was_changed_and_still_exists():
    settings = FlightHubSettings()
    form = Form(offer(("mesh",), settings), lambda: None)
    enter(form, "quality_level", 1, "parameter_3d")
    form.offer = offer(("mesh", "orthophoto"), settings)
    assert form.values == {"parameter_3d": {"quality_level": 1}}
    assert ("parameter_2d", "map_mode") in form.fields
    form.offer = offer(("orthophoto",), settings)
    assert form.values == {}


# -- who is to blame -------------------------------------------------------------------------------


def check(values):
    """Refuse as services do: the first thing that is wrong, in a sentence."""
    if values.get("a", 0) > 1:
        raise ArgumentError(f"a={values['a']} is too much.")
    if values.get("b", 0) > 1:
        raise ArgumentError("that is too much of it.")
    if values.get("c") and not values.get("d"):
        raise ArgumentError("c does nothing without d.")
    if values.get("e") and values.get("f"):
        raise ArgumentError("these two exclude each other.")


@pytest.mark.parametrize(
    ("values", "blamed"),
    [
        ({"a": 1, "b": 1}, set()),
        ({"a": 2, "b": 1}, {"a"}),
        ({"a": 1, "b": 2}, {"b"}),
        ({"a": 2, "b": 2, "c": 1}, {"a", "b", "c"}),
        ({"c": 1, "d": 1}, set()),
        ({"e": 1, "f": 1}, {"e"}),
    ],
)
def test_the_value_to_blame_is_the_one_without_which_the_refusal_changes(values, blamed):
    assert set(find_faults(values, check, str)) == blamed


def test_what_no_value_is_to_blame_for_is_said_of_all():
    def never(values):
        raise ArgumentError("the service is closed.")

    assert find_faults({"a": 1}, never, str) == {None: "the service is closed."}
