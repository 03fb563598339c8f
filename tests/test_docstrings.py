"""Public docstrings say what a number is: its shape, and a unit or a frame."""

import ast
import re
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parents[1] / "cupixgeo"
ARRAY = re.compile(r"\bndarray\b")
SHAPE = re.compile(r"shape \(")
ENTRY = re.compile(r"^(\S.*?) : (.+)$", re.MULTILINE)
UNIT_SUFFIXES = {"_m": "[m]", "_deg": "[deg]", "_s": "[s]"}


def public_functions():
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            documented = isinstance(node, ast.FunctionDef | ast.ClassDef)
            if documented and not node.name.startswith("_"):
                docstring = ast.get_docstring(node)
                if docstring:
                    where = f"{path.relative_to(PACKAGE)}:{node.name}"
                    yield pytest.param(docstring, id=where)


@pytest.mark.parametrize("docstring", list(public_functions()))
def test_arrays_are_documented_with_their_shape(docstring):
    for line in docstring.splitlines():
        if ARRAY.search(line) and " : " in line:
            assert SHAPE.search(line), f"an array without its shape: {line.strip()!r}"


@pytest.mark.parametrize("docstring", list(public_functions()))
def test_names_with_a_unit_say_it_in_words_too(docstring):
    lines = docstring.splitlines()
    for index, line in enumerate(lines):
        match = re.match(r"^(\w+(?:, \w+)*) : float", line)
        if not match:
            continue
        text = " ".join(lines[index : index + 4])
        for suffix, unit in UNIT_SUFFIXES.items():
            if match.group(1).endswith(suffix):
                assert unit in text, f"{match.group(1)} without {unit}"
