"""Lists are read to their end, never in a circle, and what is no list is told."""

from __future__ import annotations

import numpy as np
import pytest

from cupixgeo.errors import ArgumentError, ResponseError
from cupixgeo.services.cupix.wire import (
    as_fields,
    as_id,
    as_key,
    get_list,
    get_meta,
    get_object,
    read_error,
)


class Pages:
    """A session that answers with what a test wrote down."""

    service = "cupix"

    def __init__(self, answer):
        self.answer = answer
        self.asked = []

    def json(self, method, path, *, params=None):
        self.asked.append(dict(params or {}))
        return self.answer(params["page"]) if callable(self.answer) else self.answer

    def redact(self, text):
        return text


def page(ids, following, **more):
    data = [{"id": str(i), "type": "x", "attributes": {"id": i}} for i in ids]
    return {"result": {"data": data, "pagination": {"next_page": following, **more}}}


def listed(answer):
    session = Pages(answer)
    rows = get_list(session, "things", {"record_id": 5}, fields=("id", "name"), per_page=2)
    return session, [row["id"] for row in rows]


def test_pages_are_read_to_the_end_with_fields_on_each():
    session, ids = listed({1: page([1, 2], 2), 2: page([3, 4], 3), 3: page([5], None)}.get)
    assert ids == [1, 2, 3, 4, 5]
    wanted = {"record_id": 5, "fields": "id,name", "per_page": 2}
    assert session.asked == [{**wanted, "page": number} for number in (1, 2, 3)]


def test_nothing_found_is_an_empty_list():
    assert listed(page([], None))[1] == []


@pytest.mark.parametrize(
    "answer",
    [
        lambda number: page([1, 2], number + 1),
        lambda number: page([number, number + 1], number + 1),
        lambda number: page([number], number),
        lambda number: page([number], 1),
        lambda number: page([1, 1], None),
        lambda number: page([number], "2"),
        lambda number: page([number], True),
        lambda number: {"result": {"data": [], "pagination": {}}},
    ],
    ids=[
        "same page", "overlap", "same number", "back to 1", "twice on one page", "text", "bool",
        "no next_page",
    ],
)  # fmt: skip
def test_pages_that_go_in_a_circle_are_an_error(answer):
    with pytest.raises(ResponseError, match=r"GET /things"):
        listed(answer)


def test_a_list_without_pagination_is_asked_on_until_nothing_new_comes():
    def bare(ids):
        answer = page(ids, None)
        del answer["result"]["pagination"]
        return answer

    session, ids = listed(lambda number: bare({1: [1, 2], 2: [3]}.get(number, [])))
    assert ids == [1, 2, 3]
    assert listed(lambda number: bare([1, 2]))[1] == [1, 2]
    assert len(session.asked) == 3


@pytest.mark.parametrize(
    "answer",
    [
        None,
        [],
        {},
        {"result": None},
        {"result": {"data": None}},
        {"result": {"data": {}}},
        {"result": {"data": [None], "pagination": None}},
        {"result": {"data": [{"id": "1"}], "pagination": None}},
        {"result": {"data": [{"id": "x", "attributes": {}}], "pagination": None}},
    ],
)
def test_what_is_no_list_is_an_error_not_an_empty_list(answer):
    with pytest.raises(ResponseError, match="GET /things") as caught:
        listed(answer)
    assert caught.value.__context__ is None


def test_an_object_is_unpacked_and_its_id_is_a_number():
    session = Pages({"result": {"data": {"id": "7", "attributes": {"name": "a"}}}})
    assert get_object(session, "things/7", ("id", "name")) == {"id": 7, "name": "a"}
    assert session.asked == [{"fields": "id,name"}]
    with pytest.raises(ResponseError):
        get_object(Pages({"result": {"data": None}}), "things/7", ("id",))


def test_meta_comes_bare():
    assert get_meta(Pages({"result": {"prop": {}}, "message": None}), "x/meta") == {"prop": {}}
    with pytest.raises(ResponseError, match="instead of an object"):
        get_meta(Pages({"result": []}), "x/meta")


def test_ids_are_numbers_or_text():
    assert as_id("5310", "x") == as_id(5310, "x") == as_id(np.int64(5310), "x") == 5310


@pytest.mark.parametrize("bad", ["", "../me", "5310/meta", "5310?x", "٣", -1, True, None, 5310.0])
def test_what_is_no_id_never_reaches_a_path(bad):
    with pytest.raises(ArgumentError, match="pointcloud"):
        as_id(bad, "pointcloud")


@pytest.mark.parametrize("bad", ["", "a/b", "a?b", "..", None, 5])
def test_what_is_no_key_never_reaches_a_query(bad):
    with pytest.raises(ArgumentError):
        as_key(bad, "facility")


def test_fields_are_names_or_text_with_commas():
    assert as_fields("id, name ,id") == as_fields(["id", "name"]) == ("id", "name")
    with pytest.raises(ArgumentError):
        as_fields(" , ")


@pytest.mark.parametrize(
    ("body", "found"),
    [
        ({"result": {"code": "ARG1", "message": "no"}}, ("ARG1", "no")),
        ({"result": {"reason": "missing"}}, (None, "missing")),
        ({"result": None}, (None, None)),
        ([], (None, None)),
        (None, (None, None)),
    ],
)
def test_an_error_body_is_read_where_there_is_one(body, found):
    assert read_error(body) == found
