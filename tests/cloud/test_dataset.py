"""A file as a dataset: lazy, equal to what laspy reads, and able to travel to other processes."""

import pickle
import tomllib
from importlib.metadata import EntryPoint, EntryPoints
from pathlib import Path

import dask
import dask.array
import laspy
import numpy as np
import pytest
import xarray as xr
from laspy import ExtraBytesParams
from numpy.testing import assert_array_equal
from xarray.backends import plugins

import cupixgeo as cx
from cupixgeo.cloud import dataset as dataset_module
from cupixgeo.errors import CloudError, CupixGeoError
from cupixgeo.formats.las.reader import LasReader
from cupixgeo.formats.xarray_engine import CupixGeoBackend
from cupixgeo.pipeline.dataset_reader import DatasetReader
from tests.formats.lasfiles import REAL, las_data
from tests.formats.test_ply import points, write_ply

EXTRA = (
    ExtraBytesParams("height", "i2", "above ground", offsets=[5.0], scales=[0.01]),
    ExtraBytesParams("normal", "3f4"),
    ExtraBytesParams("point", "u1"),
)


@pytest.fixture
def path(tmp_path):
    file = tmp_path / "cloud.laz"
    las_data(8, 120_000, extra=EXTRA).write(file)
    return file


def test_every_value_is_the_one_laspy_reads(path):
    expected = laspy.read(path)
    with cx.open(path) as dataset:
        assert dict(dataset.sizes) == {"point": 120_000, "normal_element": 3}
        for axis in "xyz":
            assert_array_equal(dataset[axis], expected[axis])
            assert dataset[axis].dtype == np.float64
        for name in set(expected.point_format.dimension_names) - {"X", "Y", "Z", "point"}:
            raw = name in ("height", "normal")
            wanted = expected.points.array[name] if raw else np.asarray(expected[name])
            assert_array_equal(dataset[name], wanted, err_msg=name)
        assert_array_equal(dataset["point_attribute"], expected["point"])


@pytest.mark.parametrize(
    "key",
    [5, -1, slice(10, 20), slice(None, None, 7), slice(90_000, 100, -11), slice(5, 5)],
    ids=str,
)
def test_indexing_agrees_with_numpy(path, key):
    expected = laspy.read(path)
    with cx.open(path) as dataset:
        assert_array_equal(dataset.x[key], np.asarray(expected.x)[key])
        assert_array_equal(dataset.normal[key], expected.points.array["normal"][key])
        assert_array_equal(dataset.normal[key, 1], expected.points.array["normal"][key][..., 1])


def test_picking_points_agrees_with_numpy(path):
    picked = [100_000, 3, 3, 77]
    with cx.open(path) as dataset:
        assert_array_equal(dataset.red[picked], np.asarray(laspy.read(path).red)[picked])


def test_opening_reads_no_points(path, monkeypatch):
    def refuse(*_args, **_options):
        raise AssertionError("points were read")

    monkeypatch.setattr(LasReader, "blocks", refuse)
    with cx.open(path) as dataset:
        assert dataset.sizes["point"] == 120_000
        assert "120" in repr(dataset)
        assert "120,000 points" in repr(dataset.cloud)


def test_several_variables_of_a_range_are_decoded_once(path, monkeypatch):
    asked = []
    original = LasReader.blocks

    def counting(self, *args, **options):
        asked.append(options)
        return original(self, *args, **options)

    monkeypatch.setattr(LasReader, "blocks", counting)
    with cx.open(path) as dataset:
        part = dataset.isel(point=slice(1000, 70_000))
        part.load()
        dataset.isel(point=slice(2000, 3000)).load()
    assert len(asked) == 1


def test_ranges_too_large_to_keep_are_read_a_variable_at_a_time(path, monkeypatch):
    monkeypatch.setattr(dataset_module, "CACHE_BYTES", 1000)
    expected = laspy.read(path)
    with cx.open(path) as dataset:
        assert_array_equal(dataset.x, expected.x)
        assert_array_equal(dataset.normal, expected.points.array["normal"])


def test_chunks_are_whole_chunks_of_the_file():
    with xr.open_dataset(REAL, engine=CupixGeoBackend, chunks={}) as dataset:
        assert dataset.chunksizes["point"] == (500_000, 440_393)
        assert isinstance(dataset.red.data, dask.array.Array)
        assert dataset.chunksizes["point"][0] % 50_000 == 0


@pytest.mark.parametrize("scheduler", ["synchronous", "threads", "processes"])
def test_dask_computes_the_same_whatever_runs_it(path, scheduler):
    expected = laspy.read(path)
    with (
        dask.config.set(scheduler=scheduler, num_workers=2),
        cx.open(path) as dataset,
    ):
        chunked = dataset.chunk(point=50_000)
        total = (chunked.x + chunked.red).compute()
    assert_array_equal(total, np.asarray(expected.x) + np.asarray(expected.red))


def test_a_dataset_can_be_pickled_and_opens_the_file_again(path):
    with cx.open(path, crs=32650) as dataset:
        sent = pickle.dumps(dataset)
    with pickle.loads(sent) as arrived:
        assert_array_equal(arrived.blue, laspy.read(path).blue)
        assert arrived.cloud.crs.to_epsg() == 32650


def test_a_closed_dataset_opens_its_file_again_when_read(path):
    dataset = cx.open(path)
    dataset.close()
    assert_array_equal(dataset.blue[:10], laspy.read(path).blue[:10])
    dataset.close()


def test_a_file_replaced_since_it_was_opened_is_an_error(path):
    dataset = cx.open(path)
    dataset.close()
    las_data(8, 100, extra=EXTRA).write(path)
    with pytest.raises(CloudError, match=r"has changed.*120,000 points then, 100 now"):
        dataset.blue.load()


def test_scaled_extra_bytes_are_physical_after_decoding(path):
    expected = laspy.read(path)
    with cx.open(path) as dataset:
        assert dataset.height.dtype == np.int16
        decoded = xr.decode_cf(dataset[["height"]]).height
        np.testing.assert_allclose(decoded, np.asarray(expected["height"]).ravel(), rtol=1e-12)


def test_the_dataset_says_where_it_comes_from():
    with cx.open(REAL) as dataset:
        assert dataset.attrs["source"] == "model.laz"
        assert dataset.attrs["format"] == "LAZ"
        assert dataset.attrs["point_format"] == 3
        assert "GeoTIFF" in dataset.attrs["crs_source"]
        assert dataset.x.encoding["scale_factor"] == 0.01
        assert dataset.x.encoding["add_offset"] == 0.0
        assert dataset.red.encoding["grid_mapping"] == "spatial_ref"


@pytest.mark.parametrize("encoding", ["ascii", "binary_big_endian"])
def test_ply_files_are_datasets_too(tmp_path, encoding):
    values = points()
    file = write_ply(tmp_path / "cloud.ply", values, encoding=encoding)
    with xr.open_dataset(file, engine=CupixGeoBackend, chunks={}) as dataset:
        dataset.load()
    for name, column in values.items():
        assert_array_equal(dataset[name], column)


def test_variables_can_be_dropped_on_opening():
    with xr.open_dataset(REAL, engine=CupixGeoBackend, drop_variables=["red"]) as dataset:
        assert "red" not in dataset
        assert "green" in dataset


def test_the_engine_is_registered_under_its_name_and_knows_its_files(tmp_path):
    project = tomllib.loads((Path(__file__).parents[2] / "pyproject.toml").read_text())
    group = project["project"]["entry-points"]["xarray.backends"]
    entry = EntryPoint("cupixgeo", group["cupixgeo"], "xarray.backends")
    engine = plugins.build_engines(EntryPoints((entry,)))["cupixgeo"]
    assert engine.guess_can_open(REAL)
    (tmp_path / "a.laz").write_text("hello")
    assert not engine.guess_can_open(tmp_path / "a.laz")
    assert not engine.guess_can_open(tmp_path / "gone.laz")
    assert not engine.guess_can_open(b"LASF")


def test_an_error_in_opening_is_one_of_ours(tmp_path):
    (tmp_path / "a.laz").write_bytes(b"LASF" + bytes(400))
    with pytest.raises(CupixGeoError, match=r"a\.laz"):
        xr.open_dataset(tmp_path / "a.laz", engine=CupixGeoBackend)


@pytest.fixture
def asked(monkeypatch):
    """Columns of each reading of a LAS file."""
    columns = []
    blocks = LasReader.blocks

    def noted(self, *args, **options):
        columns.append(options.get("columns"))
        return blocks(self, *args, **options)

    monkeypatch.setattr(LasReader, "blocks", noted)
    return columns


@pytest.mark.parametrize("cache", [1000, 2**27], ids=["large", "small"])
def test_coordinates_of_a_large_file_are_read_without_its_attributes(
    path, monkeypatch, asked, cache
):
    monkeypatch.setattr(dataset_module, "CACHE_BYTES", cache)
    with cx.open(path) as dataset:
        blocks = list(DatasetReader(dataset).blocks(50_000, start=7, columns=()))
        assert set(asked) == {()} if cache == 1000 else {None}
        assert [len(block) for block in blocks] == [50_000, 50_000, 19_993]
        expected = laspy.read(path).xyz[7:]
        assert_array_equal(np.concatenate([block.xyz for block in blocks]), expected)
