"""The table: rows of any number, sorted and searched in the kernel, ticked on both sides."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from cupixgeo.services.tables import INTEGER, NUMBER, TEXT, TIME, TRUTH, Column, TableSchema
from cupixgeo.widgets.table import FIRST, Table

SCHEMA = TableSchema(
    "things",
    (
        Column("id", INTEGER, meaning="id"),
        Column("name", TEXT, meaning="name"),
        Column("filesize", INTEGER, "byte", "size"),
        Column("height_m", NUMBER, "m", "height"),
        Column("is_good", TRUTH, meaning="good"),
        Column("made", TIME, meaning="when"),
    ),
)


NAMES = ("alpha", "beta", "gamma", "delta", "epsilon", "zeta", "eta")


def things(count):
    return SCHEMA.to_frame(
        [
            {
                "id": 1000 + number,
                "name": f"thing {NAMES[number % 7]}",
                "filesize": number * 1_500_000 if number % 3 else None,
                "height_m": None if number == 5 else float(count - number),
                "is_good": number % 2 == 0,
                "made": f"2024-05-{1 + number % 28:02d}T08:00:00Z",
            }
            for number in range(count)
        ]
    )


def rows(table):
    return table.window["rows"]


@pytest.fixture
def table():
    return Table(things(200), label="things")


def test_only_the_first_rows_are_sent(table):
    assert (table.length, table.total, len(rows(table))) == (200, 200, FIRST)


def test_the_browser_gets_the_rows_it_asks_for(table):
    table._answer(table, {"range": [100, 130]}, [])
    assert table.window["start"] == 100
    assert [row[0] for row in rows(table)] == list(range(100, 130))


def test_cells_are_written_for_people(table):
    key, id, name, size, height, good, made = rows(table)[4]
    assert (key, id, name, size, good) == (4, "1004", "thing epsilon", "6.0", "yes")
    assert (height, made) == ("196", "2024-05-05 08:00")
    assert rows(table)[5][4] == ""
    labels = [column["label"] for column in table.columns]
    assert labels == ["id", "name", "filesize [MB]", "height [m]", "is good", "made"]
    assert table.columns[2]["help"] == "size"
    assert [column["align"] for column in table.columns] == [
        "right", "left", "right", "right", "left", "left",
    ]  # fmt: skip


def test_sorting_goes_by_value_and_puts_what_is_missing_last(table):
    table.order = {"column": "height_m", "descending": False}
    heights = table.found["height_m"].to_numpy()
    assert np.all(np.diff(heights[:-1]) > 0)
    assert np.isnan(heights[-1])
    table.order = {"column": "height_m", "descending": True}
    assert table.found["height_m"].iloc[0] == 200
    assert np.isnan(table.found["height_m"].iloc[-1])


def test_words_are_looked_for_in_all_columns(table):
    table.words = "DELTA thing"
    assert set(table.found["name"]) == {"thing delta"}
    table.words = "1042"
    assert table.found["id"].tolist() == [1042]
    table.words = "no such words"
    assert (table.total, rows(table)) == (0, [])


def test_all_that_is_found_can_be_ticked_and_unticked(table):
    table.picked = [0]
    table.words = "delta"
    table._answer(table, {"all": True}, [])
    assert set(table.selection) == {0, *table.found.index}
    table._answer(table, {"all": False}, [])
    assert table.selection == (0,)


def test_a_range_is_ticked_in_the_order_that_is_shown(table):
    table.order = {"column": "id", "descending": True}
    table._answer(table, {"between": [0, 3]}, [])
    assert table.selection == (197, 198, 199)


def test_selection_holds_labels_and_goes_both_ways():
    frame = things(10).set_index(pd.Index(list("abcdefghij")))
    frame.attrs = things(1).attrs
    table = Table(frame, label="things")
    table.selection = ("c", "a", "nobody")
    assert table.picked == [0, 2]
    table.picked = [9]
    assert table.selection == ("j",)


def test_another_frame_keeps_what_was_ticked_by_its_label(table):
    table.selection = (3, 150)
    table.frame = things(100)
    assert table.selection == (3,)
    assert table.length == 100


def test_no_rows_are_a_table_with_its_columns():
    table = Table(things(0), label="things", empty="Nothing.")
    assert (table.total, len(table.columns), rows(table)) == (0, 6, [])


def test_columns_that_are_not_there_are_passed_over():
    table = Table(things(3), label="things", columns=["name", "colour", "id"])
    assert [column["name"] for column in table.columns] == ["name", "id"]
