"""Rows of the tables on a map that are selected: by label in Python, by number in the browser.

Knows which table rows are selected in. Must not know widgets.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping

import numpy as np
import pandas as pd

from cupixgeo.errors import ArgumentError

Labels = tuple[Hashable, ...]


class Rows:
    """The table in which rows are selected.

    Parameters
    ----------
    tables : callable
        Answers the tables on the map by name.
    """

    def __init__(self, tables: Callable[[], Mapping[str, pd.DataFrame]]) -> None:
        self._tables = tables
        self.chosen = ""

    @property
    def name(self) -> str:
        """Name of the table used last, or of the first; empty where there is none."""
        tables = self._tables()
        return self.chosen if self.chosen in tables else next(iter(tables), "")

    @property
    def table(self) -> pd.DataFrame:
        """The table; an empty one where there is none."""
        return self._tables().get(self.name, pd.DataFrame())

    def known(self, labels: Iterable[Hashable]) -> Labels:
        """Return labels of the table's index, each once.

        Raises
        ------
        ArgumentError
            There is no such row.
        """
        wanted = tuple(dict.fromkeys(labels))
        index = self.table.index
        places = index.get_indexer_for(pd.Index(wanted))
        if (places < 0).any():
            wrong = next(label for label in wanted if label not in index)
            there = ", ".join(map(repr, index[:3].tolist()))
            raise ArgumentError(
                f"there is no row {wrong!r} in {self.name or 'an empty map'}. Give labels of its "
                f"index: {there or 'it has none'}, ..."
            )
        return wanted

    def numbers(self, labels: Labels) -> list[int]:
        """Return where the labelled rows stand in the table, from 0 on."""
        index = self.table.index if self.name else pd.Index([])
        return [int(row) for row in index.get_indexer_for(pd.Index(labels))]

    def labels(self, numbers: Iterable[int]) -> Labels:
        """Return the labels of rows; those of a table that is gone are left out."""
        index = self.table.index
        there = np.array([row for row in numbers if row < len(index)], np.int64)
        return tuple(dict.fromkeys(index[there]))
