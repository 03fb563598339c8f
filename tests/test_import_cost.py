"""Importing the package stays cheap: nothing heavy comes along."""

import subprocess
import sys

import pytest

from tests.pipeline.clouds import UTM50, box_of_points, write_las

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


def test_importing_the_package_does_not_load_xarray():
    assert not loaded_by("import cupixgeo") & {"numpy", "pandas", "xarray"}


def test_a_merge_loads_no_more_than_it_needs(tmp_path):
    cloud = write_las(tmp_path / "a.laz", box_of_points(100, origin=UTM50), crs=32650)
    merge = f"cupixgeo.merge([{str(cloud)!r}], {str(tmp_path / 'b.laz')!r}, crs=32651)"
    loaded = loaded_by(f"import cupixgeo; {merge}")
    assert not loaded & {"httpx", "matplotlib", "numba", "pandas", "PIL", "rich", "xarray"}


@pytest.mark.parametrize(
    "first",
    [
        "import xarray, cupixgeo",
        "import cupixgeo, xarray; cupixgeo.as_crs",
        "import cupixgeo.formats.xarray_engine, xarray",
        "import cupixgeo.cloud.dataset, xarray",
    ],
)
def test_datasets_have_the_accessor_whatever_was_imported_first(first):
    assert "yes" in loaded_by(f"{first}; print('yes' if hasattr(xarray.Dataset, 'cloud') else '')")


def test_importing_adds_only_our_own_light_modules():
    own = {"cupixgeo"}
    assert loaded_by("import cupixgeo") - loaded_by("import xarray") <= own
