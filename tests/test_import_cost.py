"""Importing the package stays cheap: nothing heavy comes along."""

import subprocess
import sys

HEAVY = [
    "dask",
    "httpx",
    "ipywidgets",
    "keyring",
    "laspy",
    "lazrs",
    "matplotlib",
    "numba",
    "open3d",
    "PIL",
    "pyproj",
    "rich",
    "typer",
]


def loaded_by(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(' '.join(m for m in sys.modules if '.' not in m))"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(result.stdout.split())


def test_importing_the_package_loads_nothing_heavy_that_xarray_does_not():
    added = loaded_by("import cupixgeo") - loaded_by("import xarray")
    assert not added & set(HEAVY)


def test_importing_adds_only_our_own_light_modules():
    own = {"cupixgeo"}
    assert loaded_by("import cupixgeo") - loaded_by("import xarray") <= own
