"""A merge with compiled code moves points as PROJ does and changes nothing else: point formats 0 to
3, 9 and 10, written by both coders, read by both."""

from __future__ import annotations

import laspy
import numpy as np
import pyproj
import pytest

import cupixgeo as cx
from cupixgeo.pipeline import stream
from tests.pipeline.clouds import UTM50, box_of_points, write_las

BACKENDS = [laspy.LazBackend.LazrsParallel, laspy.LazBackend.Laszip]

WAY = dict.fromkeys((0, 1, 2, 3), "points") | dict.fromkeys((9, 10), "layers")
"""Formats 6 to 8 have tests of their own."""

WITHOUT_WAVEFORM = {9: 6, 10: 8}
"""Waveform pointers point into other files, and are not kept."""

WAVEFORM = {
    "wavepacket_index",
    "wavepacket_offset",
    "wavepacket_size",
    "return_point_wave_location",
    "x_t",
    "y_t",
    "z_t",
}

COUNTS = 50_300, 2_001
"""Points of the sources: two chunks, one of them not full, and a third."""

COORDINATES = {"X", "Y", "Z"}


@pytest.fixture
def always_compiled(monkeypatch):
    monkeypatch.setattr(stream, "FEWEST_TO_RECODE", 1)


def sources(folder, point_format, backend):
    """Write clouds with all attributes filled, as one of the two coders writes them."""
    paths = []
    for seed, count in enumerate(COUNTS):
        path = folder / f"{seed}.laz"
        extra = {"height": np.linspace(0, 9, count, dtype=np.float32)}
        xyz = box_of_points(count, origin=UTM50, seed=seed)
        write_las(path, xyz, point_format=point_format, crs=32650, extra=extra, seed=seed)
        las = laspy.read(path)
        waveform = WAVEFORM & set(las.point_format.dimension_names)
        rng = np.random.default_rng(seed)
        for name in sorted(waveform):
            las[name] = rng.integers(0, 200, count)
        assert bool(waveform) == (point_format in WITHOUT_WAVEFORM)
        las.write(path, laz_backend=backend)
        paths.append(path)
    return paths


@pytest.mark.parametrize("backend", BACKENDS, ids=lambda backend: backend.name)
@pytest.mark.parametrize("point_format", WAY)
def test_coordinates_are_projs_and_all_else_is_as_it_was(
    tmp_path, always_compiled, point_format, backend
):
    paths = sources(tmp_path, point_format, backend)
    report = cx.merge(paths, tmp_path / "out.laz", crs=32651)
    assert [source.method for source in report.sources] == [WAY[point_format]] * 2
    dropped = WAVEFORM if point_format in WITHOUT_WAVEFORM else set()
    assert dropped <= set(report.attributes_dropped)

    to_51 = pyproj.Transformer.from_crs(32650, 32651, always_xy=True)
    for reader in BACKENDS:
        merged = laspy.read(tmp_path / "out.laz", laz_backend=reader)
        originals = [laspy.read(path, laz_backend=reader) for path in paths]
        assert merged.point_format.id == WITHOUT_WAVEFORM.get(point_format, point_format)
        kept = set(merged.point_format.dimension_names)
        assert set(originals[0].point_format.dimension_names) - kept == dropped
        for name in kept - COORDINATES:
            wanted = np.concatenate([np.asarray(original[name]) for original in originals])
            np.testing.assert_array_equal(np.asarray(merged[name]), wanted, err_msg=name)
        exact = np.column_stack(
            to_51.transform(*np.concatenate([original.xyz for original in originals]).T)
        )
        off = np.abs(merged.xyz - exact) / merged.header.scales
        assert off.max() <= 0.5 + 1e-4  # steps; PROJ's own metres have a rounding error too
        check_header(merged)


def check_header(merged):
    header = merged.header
    assert header.point_count == sum(COUNTS)
    np.testing.assert_allclose(header.mins, merged.xyz.min(axis=0), rtol=0, atol=1e-9)
    np.testing.assert_allclose(header.maxs, merged.xyz.max(axis=0), rtol=0, atol=1e-9)
    counted = np.bincount(merged.return_number, minlength=16)[1:]
    wanted = header.number_of_points_by_return
    np.testing.assert_array_equal(wanted, counted[: len(wanted)])
