"""`.cloud` in figures and pictures: statistics against numpy, descriptions, plots."""

import builtins
import re

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from numpy.testing import assert_allclose, assert_array_equal

import cupixgeo as cx
from cupixgeo.errors import CloudError, EmptyCloudError, MissingExtraError
from cupixgeo.formats.xarray_engine import CupixGeoBackend
from tests.formats.lasfiles import REAL
from tests.pipeline.test_accessor import small_cloud

mpl.use("agg")


@pytest.fixture
def scan():
    with cx.open(REAL) as dataset:
        yield dataset


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    from matplotlib import pyplot

    pyplot.close("all")


@pytest.mark.parametrize("lazy", [False, True])
def test_statistics_are_those_of_numpy(lazy, sample):
    with cx.open(sample) as scan:
        table = (scan.chunk(point=40_000) if lazy else scan).cloud.stats()
        assert list(table.columns) == ["count", "min", "max", "mean", "std", "unit"]
        for name in ("x", "y", "z", "red", "user_data"):
            values = scan[name].to_numpy().astype(float)
            row = table.loc[name]
            assert row["count"] == len(values)
            assert (row["min"], row["max"]) == (values.min(), values.max())
            assert_allclose(row["mean"], values.mean(), rtol=1e-12)
            assert_allclose(row["std"], values.std(), rtol=1e-9)
    assert table.loc["x", "unit"] == "m"


def test_statistics_leave_out_what_is_no_number_and_split_vectors():
    cloud = small_cloud(10)
    cloud["normal"] = (("point", "k"), np.arange(20.0).reshape(10, 2))
    cloud["gap"] = ("point", np.array([np.nan] * 4 + [1.0] * 6))
    cloud["nothing"] = ("point", np.full(10, np.nan))
    cloud["name"] = ("point", np.array(["a"] * 10))
    table = cloud.cloud.stats()
    assert table.loc["gap", "count"] == 6
    assert table.loc["nothing", "count"] == 0
    assert np.isnan(table.loc["nothing", "mean"])
    assert_array_equal(table.loc[["normal[0]", "normal[1]"], "mean"], [9.0, 10.0])
    assert "name" not in table.index


def test_statistics_of_an_empty_cloud_are_a_table_with_its_columns():
    table = small_cloud(0).cloud.stats()
    assert (table["count"] == 0).all()
    assert list(table.index) == ["x", "y", "z", "intensity"]


def test_the_text_form_is_one_line(scan):
    assert repr(scan.cloud) == (
        "<cloud model.laz: 940,393 points, EPSG:32615 (WGS 84 / UTM zone 15N)>"
    )


def test_the_html_form_tells_and_shows_the_cloud(scan):
    html = scan.cloud._repr_html_()
    for words in ("940,393", "EPSG:32615", "576661.97", "intensity", "model.laz", "GeoTIFF"):
        assert words in html
    assert re.search(r"<img alt='[^']+' src='data:image/\w+;base64,", html)
    assert html.count("<table>") == html.count("</table>") == 1


def test_the_html_form_escapes_what_a_file_says():
    cloud = small_cloud().assign_attrs(source="<script>alert(1)</script>")
    html = cloud.cloud._repr_html_()
    assert "<script>" not in html
    assert "&lt;script&gt;" in html


def test_large_and_dask_clouds_are_described_without_reading_them(monkeypatch):
    with xr.open_dataset(REAL, engine=CupixGeoBackend, chunks={}) as scan:
        html = scan.cloud._repr_html_()
    assert "Bounds" not in html
    assert "<img" not in html
    assert "940,393" in html


def test_an_empty_cloud_is_described_too():
    html = small_cloud(0).cloud._repr_html_()
    assert "<img" not in html
    assert "cupix:pointcloud/1" in html


@pytest.mark.parametrize("by", ["best", "rgb", "z", "red"])
def test_a_plot_covers_the_cloud_and_names_its_axes(scan, by):
    axes = scan.cloud.plot(by)
    low, high = scan.cloud.bounds
    assert_allclose(axes.get_xlim(), (low[0], high[0]), atol=1.0)
    assert_allclose(axes.get_ylim(), (low[1], high[1]), atol=1.0)
    assert axes.get_xlabel() == "easting [m]"
    assert "EPSG:32615" in axes.get_title()
    (image,) = axes.get_images()
    assert np.ptp(np.nan_to_num(np.asarray(image.get_array(), float))) > 0


def test_an_attribute_is_drawn_by_its_value_on_top():
    cloud = small_cloud(2000)
    axes = cloud.cloud.plot("intensity")
    drawn = np.asarray(axes.get_images()[0].get_array(), float)
    assert set(drawn[np.isfinite(drawn)].astype(int)) <= set(cloud.intensity.to_numpy().tolist())
    top = cloud.isel(point=int(np.argmax(cloud.z.to_numpy())))
    assert int(top.intensity) in drawn


def test_a_plot_may_go_into_given_axes():
    from matplotlib import pyplot

    axes = pyplot.subplots()[1]
    assert small_cloud().cloud.plot(ax=axes) is axes


def test_what_cannot_be_drawn_is_refused():
    cloud = small_cloud()
    with pytest.raises(CloudError, match=r"'colour' is not .*intensity"):
        cloud.cloud.plot("colour")
    with pytest.raises(CloudError, match="no colours"):
        cloud.cloud.plot("rgb")
    with pytest.raises(EmptyCloudError):
        small_cloud(0).cloud.plot()


def test_without_matplotlib_the_install_line_is_told(monkeypatch):
    original = builtins.__import__

    def refuse(name, *rest, **options):
        if name.startswith("matplotlib"):
            raise ImportError(name)
        return original(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(MissingExtraError, match=r'pip install "cupixgeo\[plot\]"'):
        small_cloud().cloud.plot()
