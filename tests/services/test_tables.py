"""A table has its declared columns whatever the service sends."""

from __future__ import annotations

import copy

import pandas as pd
import pytest

from cupixgeo.errors import ResponseError
from cupixgeo.services.tables import (
    ANY,
    INTEGER,
    NUMBER,
    TEXT,
    TIME,
    TRUTH,
    Column,
    TableSchema,
)

THINGS = TableSchema(
    "things",
    (
        Column("id", INTEGER, meaning="id"),
        Column("name", TEXT),
        Column("height", NUMBER, "m", "height above the floor"),
        Column("good", TRUTH),
        Column("made_at", TIME),
        Column("cluster_id", INTEGER, path=("cluster", "id")),
        Column("meta", ANY),
    ),
)
DTYPES = ["Int64", "string", "float64", "boolean", "datetime64[us, UTC]", "Int64", "object"]


def test_nothing_found_is_an_empty_table_with_its_columns():
    table = THINGS.to_frame([])
    assert len(table) == 0
    assert list(table.columns) == [column.name for column in THINGS.columns]
    assert [str(dtype) for dtype in table.dtypes] == DTYPES


def test_types_do_not_depend_on_what_is_in_the_rows():
    full = {
        "id": "7", "name": "a", "height": 2, "good": True,
        "made_at": "2024-03-05T16:40:07.918Z", "cluster": {"id": 5, "name": "c"}, "meta": {"a": 1},
    }  # fmt: skip
    for rows in ([full], [{}], [full, {}, dict.fromkeys(full)]):
        table = THINGS.to_frame(rows)
        declared = table[[column.name for column in THINGS.columns]]
        assert [str(dtype) for dtype in declared.dtypes] == DTYPES
    row = THINGS.to_frame([full]).iloc[0]
    assert (row["id"], row["height"], row["cluster_id"]) == (7, 2.0, 5)
    assert row["made_at"] == pd.Timestamp("2024-03-05T16:40:07.918", tz="UTC")


def test_missing_fields_are_na():
    table = THINGS.to_frame([{"id": 1}, {"id": 2, "cluster": None}, {"cluster": {"id": None}}])
    assert table.drop(columns="id").isna().all(axis=None)
    assert table["id"].tolist()[:2] == [1, 2]
    assert table["id"].isna().tolist() == [False, False, True]


def test_unknown_fields_are_kept_behind_the_declared_ones():
    rows = [
        {"id": 1, "colour": "red", "team": {"id": 3, "name": "T", "type": "Team"}},
        {"id": 2, "box": {"min": [0], "max": [1]}, "cluster": {"id": 5, "shade": "dark"}},
    ]
    table = THINGS.to_frame(rows)
    assert list(table.columns)[len(THINGS.columns) :] == [
        "colour", "team_id", "team_name", "box", "cluster_shade",
    ]  # fmt: skip
    assert table["colour"][0] == "red"
    assert pd.isna(table["colour"][1])
    assert table["team_id"][0] == 3
    assert table["box"][1] == {"min": [0], "max": [1]}
    assert table["cluster_shade"][1] == "dark"


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("id", "abc"),
        ("id", 1.5),
        ("id", True),
        ("height", {}),
        ("height", "tall"),
        ("good", "maybe"),
        ("made_at", "yesterday"),
        ("name", ["a"]),
    ],
)
def test_a_value_of_another_type_is_named(field, value):
    rows = [{"id": 1}, {"id": 2, field: value}]
    with pytest.raises(ResponseError) as caught:
        THINGS.to_frame(rows, service="cupix")
    assert f"{value!r} as {field} of things" in str(caught.value)
    assert caught.value.__context__ is None


def test_units_and_meanings_travel_with_the_table():
    table = copy.deepcopy(THINGS.to_frame([]))
    assert table.attrs["columns"]["height"] == {
        "dtype": "float64", "unit": "m", "meaning": "height above the floor",
    }  # fmt: skip
    assert table.attrs["table"] == "things"


def test_a_choice_of_fields_keeps_their_columns_and_the_id():
    chosen = THINGS.select(["cluster", "unheard_of"])
    assert [column.name for column in chosen.columns] == ["id", "cluster_id"]
    assert THINGS.fields == ("id", "name", "height", "good", "made_at", "cluster", "meta")
