"""The top view: the highest point wins, each is counted once, memory stays with the raster."""

import tracemalloc

import laspy
import numpy as np
import pytest
from pyproj import CRS

from cupixgeo.errors import EmptyCloudError
from cupixgeo.pipeline.raster import close_gaps, density, read_top_view, top_view
from tests.pipeline.reports import UTM, MemoryReader

SCAN = "data/brighton_beach/reference/model.laz"


def grid_points(side=100, step=0.5, origin=(500_000.0, 5_000_000.0)):
    x, y = np.meshgrid(np.arange(side) * step, np.arange(side) * step)
    xy = np.column_stack([x.ravel(), y.ravel()]) + origin
    return np.column_stack([xy, np.zeros(len(xy))])


def test_each_pixel_takes_height_and_colour_of_its_highest_point():
    ground = grid_points()
    roof = ground[1234] + (0.01, 0.01, 7.5)
    below = ground[1234] - (0.0, 0.0, 3.0)
    rgb = np.full((len(ground) + 2, 3), 90, np.uint16)
    rgb[len(ground)] = (250, 10, 20)
    cloud = np.vstack([ground, roof, below])
    shuffled = np.random.default_rng(0).permutation(len(cloud))
    view = top_view(MemoryReader(cloud[shuffled], rgb[shuffled]))
    row = int((view.north - roof[1]) / view.pixel[1])
    column = int((roof[0] - view.west) / view.pixel[0])
    assert view.height[row, column] == 7.5
    assert view.colour[row, column].tolist() == [250, 10, 20]
    assert np.nanmax(np.delete(view.height.ravel(), row * view.shape[1] + column)) == 0.0


def test_counts_add_up_to_the_points_of_the_cloud():
    with laspy.open(SCAN) as file:
        expected = file.header.point_count
    view = read_top_view(SCAN)
    assert view.count.sum() == expected
    assert np.array_equal(view.seen, np.isfinite(view.height))


def test_heights_are_those_numpy_finds_in_the_scan():
    view = read_top_view(SCAN, max_pixels=300)
    las = laspy.read(SCAN).xyz.T
    columns = np.floor((las[0] - view.west) / view.pixel[0]).clip(0, view.shape[1] - 1).astype(int)
    rows = np.floor((view.north - las[1]) / view.pixel[1]).clip(0, view.shape[0] - 1).astype(int)
    inside = (rows == 120) & (columns == 140)
    assert inside.sum() > 5
    assert view.height[120, 140] == las[2][inside].max()
    assert view.count[120, 140] == inside.sum()


def test_eight_bit_colours_in_sixteen_bit_fields_are_taken_as_they_are():
    points = grid_points(20)
    eight = np.full((len(points), 3), 200, np.uint16)
    assert top_view(MemoryReader(points, eight)).colour.max() == 200
    assert top_view(MemoryReader(points, eight * 256)).colour.max() == 200


def test_colour_fields_without_colours_are_no_colours():
    points = grid_points(20)
    assert top_view(MemoryReader(points, np.zeros((len(points), 3), np.uint16))).colour is None
    assert top_view(MemoryReader(points)).colour is None


@pytest.mark.parametrize(("count", "limit"), [(10_000, 1200), (1_000_000, 300)])
def test_the_raster_is_never_larger_than_asked_for(count, limit):
    points = np.random.default_rng(1).uniform(0, (900, 300, 5), (count, 3))
    rows, columns = top_view(MemoryReader(points), max_pixels=limit).shape
    assert 64 <= max(rows, columns) <= limit + 1
    assert columns / rows == pytest.approx(3, rel=0.05)


def test_memory_follows_the_raster_and_not_the_cloud():
    class Endless(MemoryReader):
        def blocks(self, size=250_000, **kwargs):
            for _ in range(20):
                yield from super().blocks(size, **kwargs)

    points = np.random.default_rng(1).uniform(0, 100, (100_000, 3))
    peaks = []
    for kind in (MemoryReader, Endless):
        tracemalloc.start()
        top_view(kind(points), max_pixels=200)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


def test_points_outside_a_lying_box_are_left_out_and_an_empty_result_is_an_error():
    points = grid_points(40)
    half = [points.min(axis=0), points.mean(axis=0)]
    assert 0 < top_view(MemoryReader(points, bounds=half)).count.sum() < len(points)
    elsewhere = [points.min(axis=0) + 1e6, points.max(axis=0) + 1e6]
    with pytest.raises(EmptyCloudError, match="stated bounds"):
        top_view(MemoryReader(points, bounds=elsewhere))


def test_a_cloud_without_points_is_an_error_that_names_it():
    with pytest.raises(EmptyCloudError, match=r"memory\.laz"):
        top_view(MemoryReader(np.empty((0, 3))))


@pytest.mark.parametrize(
    "points",
    [[[5.0, 5.0, 5.0]], [[0.0, 0.0, 0.0], [0.0, 10.0, 1.0]], [[1.0, 1.0, 0.0], [1.0, 1.0, 9.0]]],
    ids=["one point", "a line", "a pole"],
)
def test_flat_clouds_still_have_a_picture(points):
    view = top_view(MemoryReader(points))
    assert view.count.sum() == len(points)
    assert np.isfinite(density(view)[view.seen]).all()


def test_density_is_points_per_square_metre_of_covered_ground():
    rng = np.random.default_rng(2)
    left = rng.uniform((0, 0, 0), (40, 80, 0), (64_000, 3))
    right = rng.uniform((60, 0, 0), (100, 80, 0), (192_000, 3))
    view = top_view(MemoryReader(np.vstack([left, right])))
    values = density(view)
    x = view.west + (np.arange(view.shape[1]) + 0.5) * view.pixel[0]
    assert np.nanmedian(values[:, (x > 2) & (x < 38)]) == pytest.approx(20, rel=0.05)
    assert np.nanmedian(values[:, (x > 62) & (x < 98)]) == pytest.approx(60, rel=0.05)
    assert np.isnan(values[:, (x > 45) & (x < 55)]).all()
    assert view.covered_m2 == pytest.approx(6400, rel=0.05)


def test_density_and_area_are_in_metres_whatever_the_unit_of_the_crs():
    points = np.random.default_rng(3).uniform(0, 100, (40_000, 3))
    feet = np.column_stack([points[:, :2] / 0.3048006096012192, points[:, 2]])
    metric = top_view(MemoryReader(points, crs=UTM))
    imperial = top_view(MemoryReader(feet, crs=CRS.from_epsg(2264)))
    assert imperial.covered_m2 == pytest.approx(metric.covered_m2, rel=0.01)
    degrees = np.column_stack([points[:, :2] / (111_194.9 * 0.5, 111_194.9), points[:, 2]])
    degrees += (-90.0, 60.0, 0.0)
    geographic = top_view(MemoryReader(degrees, crs=CRS.from_epsg(4326)))
    assert geographic.covered_m2 == pytest.approx(metric.covered_m2, rel=0.01)
    assert geographic.shape == metric.shape


def test_small_gaps_are_closed_with_the_mean_and_large_ones_stay():
    values = np.arange(400.0).reshape(20, 20)
    seen = np.ones((20, 20), bool)
    seen[3, 4] = False
    seen[10:16, 10:16] = False
    closed, covered = close_gaps(np.where(seen, values, np.nan), seen)
    assert covered[3, 4]
    assert closed[3, 4] == values[3, 4]
    assert not covered[12:14, 12:14].any()


def test_progress_counts_every_point():
    points = grid_points(60)
    told = []
    top_view(MemoryReader(points), progress=told.append)
    assert told[-1].done == told[-1].total == len(points)
