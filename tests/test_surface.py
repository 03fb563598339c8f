"""The public surface is exactly what is declared, and it is documented."""

from pathlib import Path

import pytest

import cupixgeo as cx
from cupixgeo import errors

ROOT = Path(__file__).parents[1]
DOCS = "\n".join(p.read_text() for p in [ROOT / "README.md", *(ROOT / "docs").glob("*.md")])


def test_declared_names_are_the_names_that_load():
    assert dir(cx) == sorted(cx.__all__)
    for name in cx.__all__:
        assert getattr(cx, name) is not None


def test_unknown_names_raise_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'mergee'"):
        cx.mergee  # noqa: B018


@pytest.mark.parametrize("name", cx.__all__)
def test_every_public_name_appears_in_the_docs(name):
    assert f"cx.{name}" in DOCS or f"`{name}`" in DOCS


def error_classes():
    return [
        v for v in vars(errors).values() if isinstance(v, type) and issubclass(v, BaseException)
    ]


def test_errors_have_one_root_and_stand_in_the_tree():
    for cls in error_classes():
        root = cx.CupixGeoWarning if issubclass(cls, Warning) else cx.CupixGeoError
        assert issubclass(cls, root)
        assert cls.__name__ in (errors.__doc__ or "")


@pytest.mark.parametrize("cls", error_classes(), ids=lambda c: c.__name__)
def test_every_error_is_described_in_the_docs(cls):
    assert cls.__name__ in (ROOT / "docs" / "errors.md").read_text()
