"""Merging by layers gives the points that merging by records gives, and laspy reads them."""

from __future__ import annotations

import laspy
import numpy as np
import pytest

import cupixgeo as cx
from cupixgeo.errors import CorruptFileError, GridOverflowError
from cupixgeo.pipeline import stream
from tests.pipeline.clouds import UTM50, box_of_points, write_las


@pytest.fixture
def always_by_layers(monkeypatch):
    monkeypatch.setattr(stream, "FEWEST_TO_RECODE", 1)


def same_points(a, b):
    one, two = laspy.read(a), laspy.read(b)
    assert one.header.point_count == two.header.point_count
    np.testing.assert_array_equal(one.points.array, two.points.array)
    np.testing.assert_array_equal(
        one.header.number_of_points_by_return, two.header.number_of_points_by_return
    )
    np.testing.assert_allclose(one.header.mins, two.header.mins, atol=1e-9)
    np.testing.assert_allclose(one.header.maxs, two.header.maxs, atol=1e-9)


@pytest.mark.parametrize("point_format", [6, 7, 8])
@pytest.mark.parametrize("options", [{}, {"exact": True}, {"source_ids": True}])
def test_both_ways_give_the_same_points(tmp_path, monkeypatch, point_format, options):
    extra = {"height": np.linspace(0, 9, 70_000, dtype=np.float32)}
    a = write_las(
        tmp_path / "a.laz",
        box_of_points(70_000, origin=UTM50),
        point_format=point_format,
        crs=32650,
        extra=extra,
    )
    b = write_las(
        tmp_path / "b.laz",
        box_of_points(70_000, origin=UTM50, seed=4),
        point_format=point_format,
        crs=32650,
        extra=extra,
        seed=9,
    )
    by_records = cx.merge([a, b], tmp_path / "records.laz", crs=32651, **options)
    monkeypatch.setattr(stream, "FEWEST_TO_RECODE", 1)
    by_layers = cx.merge([a, b], tmp_path / "layers.laz", crs=32651, **options)
    assert {s.method for s in by_records.sources} == {"records"}
    assert {s.method for s in by_layers.sources} == {"layers"}
    same_points(tmp_path / "records.laz", tmp_path / "layers.laz")
    assert by_layers.bounds == pytest.approx(np.array(by_records.bounds))
    assert by_layers.quantisation_error_m == pytest.approx(by_records.quantisation_error_m)


def test_inputs_of_both_kinds_share_one_output(tmp_path, always_by_layers):
    xyz = box_of_points(60_000, origin=UTM50)
    layered = write_las(tmp_path / "a.laz", xyz, crs=32650)
    plain = write_las(tmp_path / "b.las", xyz + 1, crs=32650, seed=2)
    report = cx.merge([layered, plain, layered], tmp_path / "out.laz", crs=32651)
    assert [s.method for s in report.sources] == ["layers", "records", "layers"]
    merged = laspy.read(tmp_path / "out.laz")
    assert len(merged.points) == 180_000
    np.testing.assert_array_equal(merged.intensity[60_000:120_000], laspy.read(plain).intensity)
    np.testing.assert_array_equal(merged.points.array[:60_000], merged.points.array[120_000:])


@pytest.mark.parametrize("backend", ["Lazrs", "LazrsParallel", "Laszip"])
def test_every_back_end_reads_chunks_of_varying_length(tmp_path, always_by_layers, backend):
    paths = [
        write_las(tmp_path / f"{n}.laz", box_of_points(n, origin=UTM50), crs=32650)
        for n in (1, 777, 50_001)
    ]
    cx.merge(paths, tmp_path / "out.laz")
    read = laspy.read(tmp_path / "out.laz", laz_backend=laspy.LazBackend[backend])
    originals = np.concatenate([laspy.read(p).xyz for p in paths])
    assert np.abs(read.xyz - originals).max() < 1e-6


@pytest.mark.parametrize("backend", ["Lazrs", "LazrsParallel", "Laszip"])
def test_chunks_of_one_length_are_said_to_be_and_can_be_sought_in(
    tmp_path, always_by_layers, backend
):
    paths = [
        write_las(tmp_path / f"{n}.laz", box_of_points(n, origin=UTM50), crs=32650)
        for n in (100_000, 50_000, 777)
    ]
    cx.merge(paths, tmp_path / "out.laz")
    whole = laspy.read(tmp_path / "out.laz")
    with laspy.open(tmp_path / "out.laz", laz_backend=laspy.LazBackend[backend]) as reader:
        reader.seek(120_700)
        np.testing.assert_array_equal(reader.read_points(100).X, whole.X[120_700:120_800])


def test_our_own_reader_reads_them_too(tmp_path, always_by_layers):
    paths = [
        write_las(tmp_path / f"{n}.laz", box_of_points(n, origin=UTM50), crs=32650)
        for n in (40_000, 3, 30_000)
    ]
    cx.merge(paths, tmp_path / "one.laz")
    again = cx.merge([tmp_path / "one.laz"], tmp_path / "two.laz")
    assert again.sources[0].method == "layers"
    same_points(tmp_path / "one.laz", tmp_path / "two.laz")


def test_an_overflow_is_an_error_here_too(tmp_path, always_by_layers):
    spread = box_of_points(20_000, origin=UTM50)
    path = write_las(tmp_path / "a.laz", spread, crs=32650)
    low, high = spread.min(axis=0), spread.min(axis=0) + 1
    with path.open("r+b") as file:
        file.seek(179)
        file.write(np.column_stack([high, low]).tobytes())
    with pytest.raises(GridOverflowError, match=r"a\.laz.*header understates"):
        cx.merge([path], tmp_path / "out.laz", scale=2.5e-8)
    assert not (tmp_path / "out.laz").exists()


def test_a_chunk_that_lies_about_its_layers_is_an_error(tmp_path, always_by_layers):
    path = write_las(tmp_path / "a.laz", box_of_points(20_000, origin=UTM50), crs=32650)
    data = bytearray(path.read_bytes())
    start = int.from_bytes(data[96:100], "little") + 8
    size_at = start + laspy.PointFormat(7).size + 4
    data[size_at : size_at + 4] = (10**9).to_bytes(4, "little")
    path.write_bytes(data)
    with pytest.raises(CorruptFileError, match=r"a\.laz"):
        cx.merge([path], tmp_path / "out.laz", crs=32651)
    assert not (tmp_path / "out.laz").exists()
