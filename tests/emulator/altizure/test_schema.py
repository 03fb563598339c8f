"""The schema can be asked for everything it names, and pages as the author's own library does."""

import base64
import json

import pytest
from graphql import GraphQLObjectType, get_named_type, is_leaf_type

from cupixgeo.emulator.altizure.paging import Order, connection
from cupixgeo.emulator.altizure.service import schema, snake_case

EVERYTHING = Order(field=lambda n: float(n // 3), id=str)


def selection(kind, depth):
    """Select every field without required arguments, as deep as needed."""
    lines = []
    for name, field in kind.fields.items():
        inner = get_named_type(field.type)
        needed = [a for a, arg in field.args.items() if str(arg.type).endswith("!")]
        if needed:
            continue
        if is_leaf_type(inner):
            lines.append(name)
        elif depth:
            below = selection(inner, depth - 1)
            if below:
                lines.append(f"{name} {{ {below} }}")
    return " ".join(lines)


def test_every_field_can_be_asked_for(alti):
    query = f"{{ {selection(schema().query_type, 6)} }}"
    body = alti.answer(query).json()
    assert "errors" not in body
    assert body["data"]["my"]["self"]["membership"]["coupon"]["validMonth"] == 1


def test_every_type_has_its_fields_where_it_is_reached(alti):
    types = [t for t in schema().type_map.values() if isinstance(t, GraphQLObjectType)]
    assert {"Task", "Download", "ProjectImage", "CouponConnection"} <= {t.name for t in types}
    assert snake_case("freeGPQuota") == "free_g_p_quota"  # such names have resolvers of their own


def test_clients_find_bucket_currency_and_code_names_by_asking(alti):
    for enum in (
        "TASK_TYPE", "CURRENCY", "PROJECT_ERROR_CODE", "BucketS3", "BucketOSS", "BucketMinio",
        "BucketS3Model", "BucketMinioModel", "BucketMinioMeta",
    ):  # fmt: skip
        query = "query($n: String!) { __type(name: $n) { enumValues { name } } }"
        assert alti.data(query, n=enum)["enumValues"]


def test_no_arguments_give_every_element_and_totals_do_not_depend_on_the_page():
    assert [e["node"] for e in connection(range(7), EVERYTHING)["edges"]] == [*range(6, -1, -1)]
    assert connection(range(7), EVERYTHING, first=2)["totalCount"] == 7


def test_pages_from_the_front_meet_without_gap_or_double():
    seen, after = [], ""
    while True:
        page = connection(range(10), EVERYTHING, first=3, after=after)
        seen += [edge["node"] for edge in page["edges"]]
        assert page["pageInfo"]["hasPreviousPage"] is False
        if not page["pageInfo"]["hasNextPage"]:
            break
        after = page["pageInfo"]["endCursor"]
    assert seen == [*range(9, -1, -1)]


def test_pages_from_the_back_compute_only_the_previous_one():
    page = connection(range(10), EVERYTHING, last=3)
    assert [edge["node"] for edge in page["edges"]] == [2, 1, 0]
    assert page["pageInfo"]["hasPreviousPage"] is True
    assert page["pageInfo"]["hasNextPage"] is False
    before = page["pageInfo"]["startCursor"]
    again = connection(range(10), EVERYTHING, last=2, before=before)
    assert [edge["node"] for edge in again["edges"]] == [4, 3]


def test_first_wins_over_last_and_none_of_both_is_negative():
    page = connection(range(10), EVERYTHING, first=2, last=5)
    assert [edge["node"] for edge in page["edges"]] == [9, 8]
    for name in ("first", "last"):
        with pytest.raises(ValueError, match="could not be negative"):
            connection(range(3), EVERYTHING, **{name: -1})
    assert connection(range(3), EVERYTHING, first=0)["edges"] == []


def test_an_empty_page_has_empty_cursors():
    info = connection([], EVERYTHING, first=5)["pageInfo"]
    assert (info["startCursor"], info["endCursor"]) == ("", "")


def test_a_cursor_is_base64_of_json_and_an_unreadable_one_counts_as_none():
    cursor = connection(range(3), EVERYTHING)["edges"][0]["cursor"]
    assert json.loads(base64.b64decode(cursor)) == {"field": 0.0, "id": "2"}
    for junk in ("", "junk!", base64.b64encode(b"[]").decode()):
        assert len(connection(range(3), EVERYTHING, after=junk)["edges"]) == 3


def test_a_negative_page_is_a_graphql_error_on_the_wire(alti):
    query = "query($n: Int) { my { projects(first: $n) { totalCount } } }"
    assert alti.errors(query, n=-1) == ["Argument first could not be negative."]
