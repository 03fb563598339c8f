"""Lists of a service as tables whose columns are declared: type, unit, meaning.

Knows how rows of JSON become a DataFrame with the same columns whatever was in the rows: fields
that are missing are NA, fields nobody declared are kept behind the declared ones, no rows at all
give an empty table with its columns. Must not know any service's fields.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from cupixgeo.errors import ResponseError

Row = Mapping[str, Any]

INTEGER = "Int64"
NUMBER = "float64"
TEXT = "string"
TRUTH = "boolean"
TIME = "datetime64[us, UTC]"
ANY = "object"
DTYPES = (INTEGER, NUMBER, TEXT, TRUTH, TIME, ANY)
"""The types of declared columns. All have a missing value; that of `NUMBER` is NaN."""

_REFERENCE_KEYS = frozenset({"id", "name", "type", "key"})


@dataclass(frozen=True)
class Column:
    """One declared column.

    Parameters
    ----------
    name : str
        Name in the table.
    dtype : str
        One of `DTYPES`.
    unit : str
        Unit of its numbers, for example ``"m"``; empty where there is none.
    meaning : str
        What it says, in a few words.
    path : tuple of str
        Where the value is in a row: ``("cluster", "id")``; the column's own name unless given.
    """

    name: str
    dtype: str
    unit: str = ""
    meaning: str = ""
    path: tuple[str, ...] = ()

    @property
    def source(self) -> tuple[str, ...]:
        """Where the value is in a row."""
        return self.path or (self.name,)


@dataclass(frozen=True)
class TableSchema:
    """The declared columns of one table.

    Parameters
    ----------
    name : str
        What the table lists, in the plural.
    columns : tuple of Column
        In their order.
    """

    name: str
    columns: tuple[Column, ...]

    @property
    def fields(self) -> tuple[str, ...]:
        """Top-level fields the declared columns are made of, each once."""
        return tuple(dict.fromkeys(column.source[0] for column in self.columns))

    def select(self, fields: Iterable[str]) -> TableSchema:
        """Keep the columns made of `fields`; ``id`` always stays."""
        wanted = {"id", *fields}
        kept = tuple(column for column in self.columns if column.source[0] in wanted)
        return TableSchema(self.name, kept)

    def to_frame(self, rows: Sequence[Row], *, service: str = "") -> pd.DataFrame:
        """Make the table.

        Parameters
        ----------
        rows : sequence of mapping
            Decoded JSON objects.
        service : str
            Named in errors.

        Returns
        -------
        pandas.DataFrame
            One row each. Nested references that nobody declared become ``<field>_id`` and
            ``<field>_name``. ``attrs["columns"]`` holds dtype, unit and meaning by column.

        Raises
        ------
        ResponseError
            If a value cannot be what its column is declared to be.
        """
        data: dict[str, pd.Series[Any]] = {}
        for column in self.columns:
            top, *below = column.source
            values = [_dig(row.get(top), below) for row in rows]
            data[column.name] = self._series(column, values, service)
        for name, values in self._undeclared(rows).items():
            if name not in data:
                data[name] = pd.Series(values, dtype="object").infer_objects()
        frame = pd.DataFrame(data, index=pd.RangeIndex(len(rows)))
        frame.attrs["table"] = self.name
        frame.attrs["columns"] = {
            column.name: {"dtype": column.dtype, "unit": column.unit, "meaning": column.meaning}
            for column in self.columns
        }
        return frame

    def _series(self, column: Column, values: list[Any], service: str) -> pd.Series[Any]:
        """Convert one column, or say which value does not fit."""
        try:
            return _converted(values, column.dtype)
        except (ValueError, TypeError, OverflowError):
            bad = next((v for v in values if not _fits(v, column.dtype)), values)
        raise ResponseError(
            f"{service or 'the service'} sent {_shortened(bad)} as {'.'.join(column.source)} of "
            f"{self.name}, which is no {column.dtype}. Ask for other fields with fields=, and "
            "report it: the service may have changed.",
            service=service,
        )

    def _undeclared(self, rows: Sequence[Row]) -> dict[str, list[Any]]:
        """Collect what no column declares, references flattened."""
        used = {column.source for column in self.columns}
        inner = {path[0] for path in used if len(path) > 1}
        found: dict[str, list[Any]] = {}
        for number, row in enumerate(rows):
            for key, value in row.items():
                if (key,) in used:
                    continue
                if isinstance(value, Mapping) and (key in inner or _is_reference(value)):
                    parts = {
                        f"{key}_{name}": part
                        for name, part in value.items()
                        if (key, name) not in used and name != "type"
                    }
                elif key in inner and value is None:
                    continue
                else:
                    parts = {key: value}
                for name, part in parts.items():
                    found.setdefault(name, [None] * len(rows))[number] = part
        return found


def _dig(value: Any, path: list[str]) -> Any:
    """Follow a path; None where it ends early, because part of it is missing or null."""
    for key in path:
        if not isinstance(value, Mapping):
            return None
        value = value.get(key)
    return value


def _is_reference(value: Mapping[str, Any]) -> bool:
    return "id" in value and set(value) <= _REFERENCE_KEYS


def _converted(values: list[Any], dtype: str) -> pd.Series[Any]:
    series = pd.Series(values, dtype="object")
    if dtype == ANY:
        return series
    if dtype == TIME:
        return pd.to_datetime(series, utc=True, format="ISO8601").astype("datetime64[us, UTC]")
    if dtype == TEXT:
        return series.map(_as_text).astype("string")
    if dtype == TRUTH:
        return series.astype("boolean")
    if dtype == INTEGER:
        return pd.Series([_as_integer(value) for value in values], dtype=INTEGER)
    numbers = [float("nan") if value is None else _as_number(value) for value in values]
    return pd.Series(numbers, dtype=NUMBER)


def _as_integer(value: Any) -> int | None:
    """Read a whole number; services send ids as numbers in one place and as text in another."""
    if value is None:
        return None
    number = int(value) if isinstance(value, str) else value
    if isinstance(number, bool) or not isinstance(number, int | float) or number != int(number):
        raise ValueError(value)
    return int(number)


def _as_number(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise TypeError(value)
    return float(value)


def _as_text(value: Any) -> Any:
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, Mapping | list):
        raise TypeError(value)
    return str(value)


def _fits(value: Any, dtype: str) -> bool:
    try:
        _converted([value], dtype)
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def _shortened(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:59] + "…"
