"""Every operation is a named document that the emulator's schema allows, and holds no value."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from graphql import (
    BooleanValueNode,
    EnumValueNode,
    FieldNode,
    FloatValueNode,
    IntValueNode,
    OperationDefinitionNode,
    StringValueNode,
    Visitor,
    build_schema,
    parse,
    validate,
    visit,
)

from cupixgeo.emulator.altizure.service import room_schema, schema, schema_text
from cupixgeo.errors import ArgumentError
from cupixgeo.services.altizure import graphql
from cupixgeo.services.altizure.conventions import Conventions
from cupixgeo.services.altizure.graphql import Api, operation

NAMES = sorted(path.stem for path in Path(graphql.__file__).parent.glob("operations/*.graphql"))
OTHER_SHAPES = {
    "coupons_list": ("  ): CouponConnection", "  ): [Coupon]"),
    "pre_start_scalar": ("options: StartOptions): Project", "options: StartOptions): Boolean"),
}
"""Operations for what the service may do otherwise, and how the schema reads then."""


def schema_for(name):
    if name == "hello":
        return room_schema()
    if name in OTHER_SHAPES:
        text = schema_text()
        assert OTHER_SHAPES[name][0] in text
        return build_schema(text.replace(*OTHER_SHAPES[name]))
    return schema()


@pytest.mark.parametrize("name", NAMES)
def test_every_operation_is_valid_against_the_schema(name):
    assert validate(schema_for(name), parse(operation(name).text)) == []


@pytest.mark.parametrize("name", NAMES)
def test_every_operation_has_a_name_of_its_own_and_one_root_field(name):
    (definition,) = parse(operation(name).text).definitions
    assert isinstance(definition, OperationDefinitionNode)
    assert definition.name.value == operation(name).name
    assert len(definition.selection_set.selections) == 1


def test_names_inside_the_documents_are_unique():
    assert len({operation(name).name for name in NAMES}) == len(NAMES)


class Values(Visitor):
    def __init__(self):
        super().__init__()
        self.found = []

    def enter(self, node, *args):
        values = (StringValueNode, IntValueNode, FloatValueNode, EnumValueNode, BooleanValueNode)
        if isinstance(node, values):
            self.found.append(node.value)


@pytest.mark.parametrize("name", NAMES)
def test_values_travel_as_variables_only(name):
    values = Values()
    visit(parse(operation(name).text), values)
    assert values.found == []


def root_fields(kind):
    found = set()
    for name in NAMES:
        (definition,) = parse(operation(name).text).definitions
        if definition.operation.value == kind:
            fields = definition.selection_set.selections
            found |= {field.name.value for field in fields if isinstance(field, FieldNode)}
    return found


def test_every_mutation_the_emulator_has_is_used_by_the_client():
    assert root_fields("mutation") == set(schema().mutation_type.fields)
    assert root_fields("query") >= set(schema().query_type.fields)


def test_only_looks_and_marks_are_repeated():
    safe = {name for name in NAMES if operation(name).safe}
    changes = {n for n in NAMES if operation(n).text.find("\nmutation ") >= 0}
    changes |= {n for n in NAMES if operation(n).text.startswith("mutation ")}
    assert safe & changes == set(graphql.REPEATABLE)
    assert {"create_project", "start", "start_coupons", "stop", "transfer_coins"} <= changes - safe


def test_the_coupons_field_is_spelled_as_the_conventions_say():
    api = Api(None, Conventions(coupon_field="couponIds", coupon_type="[String]"))
    text = api._with_coupon_names(operation("start_coupons").text)
    assert "couponIds: $coupons" in text
    assert "$coupons: [String]" in text
    other = schema_text().replace("  coupons: [ID!]", "  couponIds: [String]")
    assert validate(build_schema(other), parse(text)) == []


def test_conventions_are_checked_and_survive_being_written_down():
    chosen = Conventions(coupons="list", done=("Done", "Fertig"), min_images=2)
    assert Conventions.from_dict(chosen.to_dict()) == chosen
    assert Conventions().to_dict() == {}
    for wrong in ({"coupon_field": "a: 1) {"}, {"coupon_type": "[ID"}, {"coupons": "heap"}):
        with pytest.raises(ArgumentError):
            Conventions(**wrong)
    with pytest.raises(ArgumentError, match="no convention 'colour'"):
        Conventions.from_dict({"colour": 1})


def test_what_is_inferred_is_said_where_it_is_asked():
    marked = {name for name in NAMES if re.search(r"^#.*\[inferred\]", operation(name).text, re.M)}
    assert marked == {
        "clean_up_model", "coupons", "coupons_list", "imported_models", "pre_start",
        "pre_start_scalar", "project_tasks", "start_coupons",
    }  # fmt: skip
