"""The widgets load on first use, and say what to install where their packages are missing."""

import subprocess
import sys

import pytest

import cupixgeo as cx
from cupixgeo.errors import MissingExtraError


def test_the_package_loads_no_widget_library_until_a_widget_is_named():
    code = (
        "import sys, cupixgeo as cx; cx.widgets; dir(cx.widgets);"
        "print([m for m in ('ipywidgets', 'ipyleaflet', 'anywidget') if m in sys.modules])"
    )
    result = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert result.stdout.strip() == "[]", result.stderr


def test_a_missing_package_names_the_install_line(monkeypatch):
    monkeypatch.setitem(sys.modules, "anywidget", None)
    monkeypatch.delitem(sys.modules, "cupixgeo.widgets.scene", raising=False)
    monkeypatch.delitem(sys.modules, "cupixgeo.widgets.scene_widget", raising=False)
    monkeypatch.delitem(vars(cx.widgets), "Scene", raising=False)
    with pytest.raises(MissingExtraError, match=r'pip install "cupixgeo\[widgets\]"'):
        cx.widgets.Scene  # noqa: B018


def test_an_unknown_widget_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Scenes'"):
        cx.widgets.Scenes  # noqa: B018
