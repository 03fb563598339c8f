"""Choosing points while merging: what is kept is what the finished file shows, by each rule."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import laspy
import numpy as np
import pytest

import cupixgeo as cx
from cupixgeo.errors import CloudError, MergeError
from cupixgeo.formats.extent import Area
from cupixgeo.formats.las.reader import LasReader
from cupixgeo.pipeline import stream
from tests.pipeline.clouds import UTM50, box_of_points, write_las

EAST, NORTH = UTM50[:2]
COPC = Path(__file__).parents[2] / "data" / "copc" / "brighton_beach.copc.laz"


@pytest.fixture
def two(tmp_path):
    """Two overlapping clouds in EPSG:32650, the second shifted by 30 m."""
    a = write_las(tmp_path / "a.laz", box_of_points(20_000, origin=UTM50), crs=32650)
    shifted = (EAST + 30, NORTH, UTM50[2])
    b = write_las(tmp_path / "b.laz", box_of_points(15_000, origin=shifted, seed=2), crs=32650)
    return a, b


def whole(tmp_path, sources, **options):
    """The merge without selection, as laspy reads it."""
    cx.merge(sources, tmp_path / "whole.laz", **options)
    return laspy.read(tmp_path / "whole.laz")


def check_kept(path, reference, mask):
    """The file holds exactly the reference points under the mask, in order, every attribute."""
    got = laspy.read(path)
    assert got.header.point_count == np.count_nonzero(mask)
    np.testing.assert_allclose(got.xyz, reference.xyz[mask], atol=1e-9)
    for name in reference.point_format.dimension_names:
        if name not in "XYZ":
            np.testing.assert_array_equal(got[name], np.asarray(reference[name])[mask], name)
    np.testing.assert_allclose(got.header.mins, reference.xyz[mask].min(axis=0), atol=1e-9)
    np.testing.assert_allclose(got.header.maxs, reference.xyz[mask].max(axis=0), atol=1e-9)


def check_counts(report):
    assert report.points_in - sum(report.removed.values()) == report.points_kept
    totals = Counter()
    for source in report.sources:
        assert source.points_in - sum(source.removed.values()) == source.points_kept
        totals.update(source.removed)
    assert dict(totals) == dict(report.removed)


def in_polygon(x, y, ring):
    """Even-odd rule by edges, point by point."""
    odd = np.zeros(len(x), bool)
    for (x1, y1), (x2, y2) in zip(ring, np.roll(ring, -1, axis=0), strict=True):
        between = (y1 > y) != (y2 > y)
        with np.errstate(divide="ignore", invalid="ignore"):
            odd ^= between & (x < x1 + (y - y1) / (y2 - y1) * (x2 - x1))
    return odd


@pytest.mark.parametrize("crs", [32650, 32651])
@pytest.mark.parametrize("suffix", [".laz", ".las"])
def test_a_box_keeps_the_points_between_its_edges_and_on_them(two, tmp_path, crs, suffix):
    every = whole(tmp_path, two, crs=crs)
    xyz = np.rint(every.xyz * 1000)
    low, high = np.percentile(xyz[:, :2], (30, 60), axis=0)
    inner = xyz[((xyz[:, :2] > low) & (xyz[:, :2] < high)).all(axis=1), :2]
    low, high = inner.min(axis=0) / 1000, inner.max(axis=0) / 1000  # points stand on each edge
    report = cx.merge(two, tmp_path / f"out{suffix}", crs=crs, bounds=(*low, *high))
    mask = ((xyz[:, :2] >= np.rint(low * 1000)) & (xyz[:, :2] <= np.rint(high * 1000))).all(axis=1)
    assert 100 < mask.sum() < 20_000
    check_kept(tmp_path / f"out{suffix}", every, mask)
    check_counts(report)
    assert set(report.removed) == {"outside"}
    assert report.selection["bounds"]["high"] == pytest.approx([*high, None])
    np.testing.assert_allclose(np.array(report.bounds)[:, :2], [low, high], atol=1e-6)


def test_areas_side_by_side_share_no_point_and_lose_none(two, tmp_path):
    edge = float(np.rint(laspy.read(two[0]).x * 1000)[77]) / 1000
    low, high = np.array([0, 0, -np.inf]), np.array([9e6, 9e6, np.inf])
    middle = np.array([edge, 0, -np.inf]), np.array([edge, 9e6, np.inf])
    west = cx.merge(two, tmp_path / "w.laz", bounds=Area(low, middle[1]))
    east = cx.merge(two, tmp_path / "e.laz", bounds=Area(middle[0], high))
    assert west.points_kept + east.points_kept == 35_000
    assert np.rint(west.bounds[1][0] * 1000) < np.rint(edge * 1000)
    assert np.rint(east.bounds[0][0] * 1000) == np.rint(edge * 1000)


def test_limits_of_height_hold_both_ends(two, tmp_path):
    every = whole(tmp_path, two)
    z = np.rint(every.z * 1000)
    low, high = np.percentile(z, (20, 40), method="nearest") / 1000
    box = np.array([[0, 0, low], [9e6, 9e6, high]])
    cx.merge(two, tmp_path / "out.laz", bounds=box)
    check_kept(
        tmp_path / "out.laz", every, (z >= np.rint(low * 1000)) & (z <= np.rint(high * 1000))
    )


@pytest.mark.parametrize("as_geojson", [True, False])
def test_a_polygon_keeps_what_is_inside_it(two, tmp_path, as_geojson):
    ring = np.array([[5, 5], [120, 20], [60, 35], [90, 75], [20, 60]]) + [EAST, NORTH]
    area = {"type": "Polygon", "coordinates": [[*ring.tolist(), ring[0].tolist()]]}
    report = cx.merge(two, tmp_path / "out.laz", bounds=area if as_geojson else ring)
    every = whole(tmp_path, two)
    check_kept(tmp_path / "out.laz", every, in_polygon(*every.xyz[:, :2].T, ring))
    check_counts(report)


def test_sources_outside_the_area_are_not_decoded(two, tmp_path, monkeypatch):
    far = write_las(
        tmp_path / "far.laz",
        box_of_points(5_000, origin=(EAST + 5000, NORTH, 50.0)),
        crs=32650,
    )
    data = bytearray(far.read_bytes())
    data[-2000:] = bytes(2000)  # decoding it would fail
    points_at = int.from_bytes(data[96:100], "little")
    table = far.read_bytes()[int.from_bytes(data[points_at : points_at + 8], "little") :]
    far.write_bytes(bytes(data[: len(data) - len(table)]) + table)
    report = cx.merge([far, *two], tmp_path / "out.laz", bounds=(EAST, NORTH, EAST + 200, 9e6))
    assert [s.method for s in report.sources] == ["skipped", "records", "records"]
    assert report.sources[0].removed == {"outside": 5_000}
    assert report.sources[0].bounds is None
    check_counts(report)


@pytest.mark.parametrize("crs", [32615, 32616])
def test_cells_of_a_copc_source_outside_the_area_are_not_read(tmp_path, monkeypatch, crs):
    every = whole(tmp_path, [COPC], crs=crs)
    low, high = np.percentile(every.xyz[:, :2], (10, 25), axis=0)
    ring = np.array([low, [high[0], low[1]], high])
    read = []
    real = LasReader.blocks

    def counted(self, *arguments, **options):
        for block in real(self, *arguments, **options):
            read.append(len(block))
            yield block

    monkeypatch.setattr(LasReader, "blocks", counted)
    report = cx.merge([COPC], tmp_path / "out.laz", crs=crs, bounds=ring)
    check_kept(tmp_path / "out.laz", every, in_polygon(*every.xyz[:, :2].T, ring))
    check_counts(report)
    assert report.points_in == every.header.point_count
    assert 0 < sum(read) < report.points_in / 2


def test_points_far_outside_do_not_overflow_the_grid_of_the_area(tmp_path):
    xyz = box_of_points(1_000, origin=UTM50)
    xyz[::2, 0] += 3_000_000
    path = write_las(tmp_path / "wide.laz", xyz, crs=32650, scale=0.01)
    report = cx.merge([path], tmp_path / "out.laz", scale=1e-3, bounds=(EAST, 0, EAST + 100, 9e6))
    assert report.points_kept == 500
    assert report.removed == {"outside": 500}


@pytest.mark.parametrize("point_format", [1, 3, 6, 7])
@pytest.mark.parametrize(
    ("classes", "codes"),
    [(2, [2]), ([2, "building"], [2, 6]), ("high_vegetation", [5]), (set(range(19)), range(19))],
)
def test_classes_are_kept_by_code_or_name(tmp_path, point_format, classes, codes):
    path = write_las(
        tmp_path / "a.laz",
        box_of_points(5_000, origin=UTM50),
        point_format=point_format,
        crs=32650,
    )
    report = cx.merge([path], tmp_path / "out.laz", classes=classes)
    every = whole(tmp_path, [path])
    check_kept(tmp_path / "out.laz", every, np.isin(np.asarray(every.classification), list(codes)))
    check_counts(report)
    assert report.selection == {"classes": sorted(codes)}


@pytest.mark.parametrize("point_format", [1, 7])
@pytest.mark.parametrize("returns", ["first", "last", "single", 2, [2, 3], ["single", 3]])
def test_returns_are_kept_by_number_or_kind(tmp_path, point_format, returns):
    path = write_las(
        tmp_path / "a.laz",
        box_of_points(5_000, origin=UTM50),
        point_format=point_format,
        crs=32650,
    )
    cx.merge([path], tmp_path / "out.laz", returns=returns)
    every = whole(tmp_path, [path])
    number, of = np.asarray(every.return_number), np.asarray(every.number_of_returns)
    kinds = {"first": number == 1, "last": number == of, "single": of == 1}
    asked = returns if isinstance(returns, list) else [returns]
    mask = np.any([kinds.get(r, number == r) for r in asked], axis=0)
    check_kept(tmp_path / "out.laz", every, mask)


@pytest.mark.parametrize(("crs", "foot"), [(32650, 1.0), (32651, 1.0), (2230, 1200 / 3937)])
def test_thinning_keeps_the_first_point_of_each_cube_over_all_sources(two, tmp_path, crs, foot):
    sources = [cx.Source(path, crs=crs if foot != 1 else None) for path in two]
    report = cx.merge(sources, tmp_path / "out.laz", crs=crs, spacing_m=5.0)
    every = whole(tmp_path, sources, crs=crs)
    cells = np.floor(every.xyz / (5.0 / np.array([foot, foot, 1.0])) + 1e-6)
    mask = np.zeros(len(cells), bool)
    mask[np.unique(cells, axis=0, return_index=True)[1]] = True
    check_kept(tmp_path / "out.laz", every, mask)
    check_counts(report)
    assert 0 < report.sources[1].points_kept < report.sources[0].points_kept


def test_thinning_does_not_depend_on_how_blocks_are_cut(two, tmp_path):
    for size in (997, 250_000):
        cx.merge(two, tmp_path / f"{size}.laz", spacing_m=3.0, block_points=size)
    one, other = (laspy.read(tmp_path / f"{size}.laz") for size in (997, 250_000))
    np.testing.assert_array_equal(one.points.array, other.points.array)


def test_thinning_agrees_with_the_accessor(two, tmp_path):
    cx.merge(two[:1], tmp_path / "out.laz", spacing_m=4.0)
    thinned = cx.open(two[0]).cloud.thin(4.0)
    np.testing.assert_allclose(laspy.read(tmp_path / "out.laz").x, thinned.x.values, atol=1e-9)


@pytest.mark.parametrize("crs", [32650, 32651])
def test_a_scan_delivered_twice_is_in_the_output_once(two, tmp_path, crs):
    again = laspy.read(two[0])
    keep = np.asarray(again.x) > EAST + 50
    again.points = again.points[keep]
    again.classification[:] = 6  # reclassified, and cut: still the same measurements
    again.write(tmp_path / "again.laz")
    sources = [*two, tmp_path / "again.laz"]
    report = cx.merge(sources, tmp_path / "out.laz", crs=crs, drop_duplicates=True)
    assert report.sources[2].removed == {"duplicate": int(keep.sum())}
    assert report.sources[2].points_kept == 0
    every = whole(tmp_path, two, crs=crs, exact=True)
    check_kept(tmp_path / "out.laz", every, np.ones(35_000, bool))
    check_counts(report)


def test_points_of_another_time_or_return_are_no_duplicates(tmp_path):
    path = write_las(tmp_path / "a.laz", box_of_points(100, origin=UTM50), crs=32650)
    later = laspy.read(path)
    later.gps_time[:50] += 1.0
    later.return_number[50:] = np.asarray(later.return_number)[50:] % 4 + 1
    later.write(tmp_path / "later.laz")
    report = cx.merge([path, tmp_path / "later.laz"], tmp_path / "o.laz", drop_duplicates=True)
    assert report.points_kept == 200


def test_all_rules_together_count_each_point_once(two, tmp_path):
    again = tmp_path / "again.laz"
    again.write_bytes(two[0].read_bytes())
    report = cx.merge(
        [*two, again],
        tmp_path / "out.laz",
        bounds=(EAST, NORTH, EAST + 90, NORTH + 60),
        classes=range(10),
        returns="last",
        drop_duplicates=True,
    )
    check_counts(report)
    assert set(report.removed) == {"outside", "class", "return", "duplicate"}
    assert report.sources[2].points_kept == 0
    thinner = cx.merge([*two, again], tmp_path / "o.laz", spacing_m=3.0, drop_duplicates=True)
    check_counts(thinner)
    assert set(thinner.removed) == {"thinned"}
    text = str(report)
    assert "left out:" in text
    assert f"{report.removed['duplicate']:,} met before" in text
    assert json.loads(json.dumps(report.to_dict()))["selection"]["returns"] == ["last"]


@pytest.mark.parametrize(
    "options", [{"spacing_m": 5.0}, {"drop_duplicates": True, "classes": range(12)}]
)
def test_a_copc_file_and_tiles_hold_the_same_points(two, tmp_path, options):
    sources = [*two, two[0]]
    cx.merge(sources, tmp_path / "out.laz", crs=32651, **options)
    cx.merge(sources, tmp_path / "out.copc.laz", crs=32651, **options)
    cx.merge(sources, tmp_path / "tiles", crs=32651, tile_m=50, **options)  # 10 cubes of 5 m
    expected = keys_of([tmp_path / "out.laz"])
    for paths in ([tmp_path / "out.copc.laz"], sorted((tmp_path / "tiles").glob("*.laz"))):
        np.testing.assert_array_equal(keys_of(paths), expected)


def keys_of(paths):
    """Place in millimetres and GPS time of every point."""
    clouds = [laspy.read(path) for path in paths]
    rows = [(*np.rint(las.xyz * 1000).T, np.asarray(las.gps_time)) for las in clouds]
    table = np.concatenate([np.column_stack(row) for row in rows])
    return table[np.lexsort(table.T)]


def test_a_selection_takes_the_way_by_records(two, tmp_path, monkeypatch):
    monkeypatch.setattr(stream, "FEWEST_TO_RECODE", 1)
    report = cx.merge(two, tmp_path / "out.laz", classes=range(5))
    assert {s.method for s in report.sources} == {"records"}


@pytest.mark.parametrize(
    "nothing",
    [
        {"classes": 200},
        {"returns": 15},
        {"bounds": (EAST + 110.0, NORTH + 79.9, EAST + 110.002, NORTH + 79.901)},
    ],
)
def test_when_nothing_is_left_there_is_an_error_and_no_file(two, tmp_path, nothing):
    with pytest.raises(MergeError, match="nothing is left"):
        cx.merge(two, tmp_path / "out.laz", **nothing)
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.laz", "b.laz"]


def test_an_area_no_source_touches_is_an_error_that_says_where_they_are(two, tmp_path):
    with pytest.raises(MergeError, match=r"no source has points.*500000"):
        cx.merge(two, tmp_path / "out.laz", bounds=(EAST + 5000, NORTH, EAST + 6000, NORTH + 10))
    with pytest.raises(CloudError, match="longitude and latitude"):
        cx.merge(two, tmp_path / "out.laz", bounds=(117.0, 39.7, 117.1, 39.8))


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ({"classes": "graund"}, "Did you mean 'ground'"),
        ({"classes": "quux"}, "Names are"),
        ({"classes": 256}, "256 is not a class"),
        ({"classes": True}, "True is not a class"),
        ({"classes": []}, "empty"),
        ({"returns": "frist"}, "'frist' is not a return"),
        ({"returns": 0}, "0 is not a return"),
        ({"returns": ()}, "empty"),
        ({"spacing_m": 0}, "spacing_m=0"),
        ({"spacing_m": float("nan")}, "spacing_m=nan"),
        ({"spacing_m": 1e-4}, "finer than the step"),
        ({"spacing_m": 1, "crs": 4979}, "degrees"),
    ],
)
def test_a_request_that_makes_no_sense_is_refused(two, tmp_path, option, words):
    with pytest.raises(MergeError, match=words):
        cx.merge(two, tmp_path / "out.laz", **option)
    assert not (tmp_path / "out.laz").exists()


@pytest.mark.parametrize(
    ("option", "attribute"), [({"classes": 2}, "classification"), ({"returns": "last"}, "return")]
)
def test_a_source_without_the_attribute_is_named(two, tmp_path, option, attribute):
    ply = tmp_path / "bare.ply"
    rows = "\n".join(f"{x} {y} 50" for x in range(3) for y in range(3))
    header = ["ply", "format ascii 1.0", "element vertex 9"]
    header += [f"property double {axis}" for axis in "xyz"]
    ply.write_text("\n".join([*header, "end_header", rows]) + "\n")
    with pytest.raises(MergeError, match=rf"bare\.ply has no {attribute}"):
        cx.merge([*two, cx.Source(ply, crs=32650)], tmp_path / "out.laz", **option)
