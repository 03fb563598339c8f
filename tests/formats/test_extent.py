"""Areas: what is inside a box or a polygon, edges included, and what is no area at all."""

import time
from fractions import Fraction

import numpy as np
import pytest
from matplotlib.path import Path as MatplotlibPath
from matplotlib.tri import Triangulation
from numpy.testing import assert_array_equal
from pyproj import CRS

from cupixgeo.errors import CloudError
from cupixgeo.formats.extent import Area, read_area

SQUARE = [(0, 0), (4, 0), (4, 4), (0, 4)]
HOLE = [(1, 1), (1, 3), (3, 3), (3, 1)]
UTM = CRS.from_epsg(32615)


def star(rng, count, *, centre=(50.0, 50.0), reach=(20.0, 48.0)):
    """A ring around a centre that does not cross itself."""
    turn = np.sort(rng.uniform(0, 2 * np.pi, count))
    away = rng.uniform(*reach, count)
    return np.stack([centre[0] + away * np.cos(turn), centre[1] + away * np.sin(turn)], axis=1)


def geojson(*rings):
    return {"type": "Polygon", "coordinates": [[*ring, ring[0]] for ring in rings]}


def inside(area, *points):
    return read_area(area).contains(*np.array(points, float).T).tolist()


# -- boxes -----------------------------------------------------------------------------------------


def test_a_box_that_is_given_holds_its_edges():
    points = [(0, 0), (4, 4), (0, 4), (2, 2), (4.0000000001, 2), (-1e-12, 2), (np.nan, 1)]
    assert inside((0, 0, 4, 4), *points) == [True] * 4 + [False] * 3
    assert inside([[0, 0, 5], [4, 4, 6]], (1, 1, 5), (1, 1, 6), (1, 1, 6.1)) == [True, True, False]
    assert read_area((0, 0, 4, 4)).contains([1.0], [1.0]).tolist() == [True]


def test_areas_side_by_side_share_no_point_and_lose_none():
    west, east = (Area(np.array([x, 0.0, 0.0]), np.array([x + 1, 1.0, 1.0])) for x in (0.0, 1.0))
    xyz = np.array([[0.5, 0.5, 0.5], [1.0, 0.5, 0.5], [1.0, 0.0, 0.0], [1.5, 0.5, 0.5]]).T
    assert (west.contains(*xyz).astype(int) + east.contains(*xyz) == 1).all()


def test_nothing_given_is_everywhere_but_for_what_is_nowhere():
    area = read_area(None)
    assert area.is_everywhere
    assert area.is_box
    assert area.contains([1e9, np.nan, np.inf], [0, 0, 0], [0, 0, 0]).tolist() == [
        True,
        False,
        False,
    ]


def test_heights_limit_any_area_both_ends_included():
    for shape in (None, (0, 0, 4, 4), SQUARE, read_area(SQUARE)):
        area = read_area(shape, z=(1.0, 2.0))
        assert area.contains([1.0] * 4, [1.0] * 4, [0.9, 1, 2, 2.1]).tolist() == [0, 1, 1, 0]
    assert not read_area(SQUARE, z=(1.0, None)).is_box


# -- polygons --------------------------------------------------------------------------------------


@pytest.mark.parametrize("count", [3, 4, 50, 1000])
def test_a_polygon_holds_the_points_matplotlib_finds(count):
    rng = np.random.default_rng(count)
    ring = star(rng, count)
    x, y = rng.uniform(0, 100, (2, 20_000))
    expected = MatplotlibPath(ring).contains_points(np.stack([x, y], axis=1))
    for drawn in (ring, ring[::-1], np.concatenate([ring, ring[:1]])):
        assert_array_equal(read_area(drawn).contains(x, y), expected)


def test_a_hole_is_outside_and_what_fills_it_is_its_complement():
    rng = np.random.default_rng(5)
    outer, hole = star(rng, 60), star(rng, 30, reach=(5.0, 15.0))
    x, y = rng.uniform(0, 100, (2, 20_000))
    whole, holed, plug = (read_area(a) for a in (outer, geojson(outer, hole), hole))
    assert_array_equal(
        holed.contains(x, y).astype(int) + plug.contains(x, y), whole.contains(x, y).astype(int)
    )
    edge = np.array([(1, 2), (3, 2), (2, 1), (2, 3), (2, 2), (0, 2), (4, 2)], float).T
    assert read_area(geojson(SQUARE, HOLE)).contains(*edge).tolist() == [0, 1, 0, 1, 0, 1, 0]


def test_every_point_is_in_exactly_one_triangle_of_many():
    """Vertices, and points that stand exactly on edges, included."""
    rng = np.random.default_rng(3)
    corners = rng.integers(0, 64, (60, 2)).astype(float)
    corners = np.unique(np.concatenate([corners, [(0, 0), (64, 0), (0, 64), (64, 64)]]), axis=0)
    mesh = Triangulation(*corners.T)
    ends = corners[mesh.edges]
    on_edges = np.concatenate(
        [ends[:, 0] + t * (ends[:, 1] - ends[:, 0]) for t in (0.5, 0.25, 0.1)]
    )
    points = np.concatenate([rng.uniform(0, 64, (5000, 2)), corners, on_edges])
    points = points[(points < 64).all(axis=1)]  # east and north edges of the whole are outside
    total = sum(read_area(corners[t]).contains(*points.T).astype(int) for t in mesh.triangles)
    assert_array_equal(total, 1)


@pytest.mark.parametrize("origin", [(0.1, 0.3), (5.767e5, 5.1881e6)])
def test_the_side_of_an_edge_is_exact_where_rounding_would_decide(origin):
    rng = np.random.default_rng(8)
    a, b, c, d = np.array([[0, 0], [3, 1], [4, 5], [-1, 3]]) * 0.1 + origin
    points = a + rng.uniform(0.01, 0.99, (2000, 1)) * (c - a)
    assert read_area([a, b, c, d]).contains(*points.T).all()
    halves = [read_area(np.array(half)).contains(*points.T) for half in ([a, b, c], [a, c, d])]
    assert_array_equal(halves[0], ~halves[1])
    (ax, ay), (cx, cy) = (map(Fraction, corner) for corner in (a, c))
    east = [
        (cx - ax) * (Fraction(y) - ay) < (Fraction(x) - ax) * (cy - ay) for x, y in points.tolist()
    ]
    on = [
        (cx - ax) * (Fraction(y) - ay) == (Fraction(x) - ax) * (cy - ay) for x, y in points.tolist()
    ]
    assert_array_equal(halves[0], np.array(east) | np.array(on))


def test_polygons_come_in_the_shapes_geojson_has():
    class Drawn:
        @property
        def __geo_interface__(self):
            return {"type": "Feature", "geometry": geojson(SQUARE, HOLE)}

    both = {
        "type": "MultiPolygon",
        "coordinates": [geojson(SQUARE, HOLE)["coordinates"], geojson(SQUARE)["coordinates"]],
    }
    high = {"type": "Polygon", "coordinates": [[(x, y, 99.0) for x, y in SQUARE]]}
    points = [(0.5, 0.5), (2, 2), (9, 9)]
    assert inside(Drawn(), *points) == [True, False, False]
    assert inside(both, *points) == [True, True, False]  # together, though they overlap
    assert inside(high, *points) == [True, True, False]
    collection = {"type": "FeatureCollection", "features": [Drawn().__geo_interface__]}
    assert inside(collection, *points) == [True, False, False]
    assert inside({"type": "GeometryCollection", "geometries": [both]}, *points)[1]


@pytest.mark.parametrize(
    ("area", "words"),
    [
        ((1, 2, 3), "no box"),
        ((5, 5, 0, 0), "has no inside"),
        ((np.nan, 0, 1, 1), "has no inside"),
        ([[1, 2, 3, 4], [5, 6, 7, 8]], "no box"),
        ("here", "no numbers"),
        ([[0, 0], [1, 1], [2]], "no numbers"),
        (np.zeros((3, 3, 2)), "no box"),
        (np.zeros((4, 5)), "no polygon"),
        (np.zeros((5, 2)), "1 different vertices"),
        ([(0, 0), (1, 1), (0, 0), (1, 1)], "2 different vertices"),
        ([(0, 0), (1, 1), (2, 2)], "no area"),
        ([(5.767e5, 5.18e6), (5.768e5, 5.18e6), (5.769e5, 5.18e6)], "no area"),
        ([(0, 0), (4, 4), (4, 0), (0, 4)], "crosses itself"),
        ([(0, 0), (4, 0), (4, 4), (2, -1)], "crosses itself"),
        ([(0, 0), (4, 0), (np.nan, 4)], "vertex 2"),
        ([(0, 0), (4, 0), (4, 1e300)], "vertex 2"),
        ({"type": "Polygon", "coordinates": [[("a", "b")] * 4]}, "pairs of numbers"),
        ({"type": "Polygon"}, "no polygon"),
        ({"type": "Polygon", "coordinates": 5}, "without rings"),
        ({"type": "MultiPolygon", "coordinates": []}, "no polygon"),
        ({"type": "Point", "coordinates": [1, 2]}, "'Point' is no polygon"),
        ({"type": "FeatureCollection", "features": []}, "no polygon"),
        ({"type": "Feature", "geometry": None}, "no polygon"),
        ({}, "None is no polygon"),
    ],
)
def test_what_is_no_area_is_refused(area, words):
    with pytest.raises(CloudError, match=words) as caught:
        read_area(area)
    assert str(caught.value).count(". ") >= 1, "no remedy"


def test_a_polygon_may_touch_itself():
    ring = [(0, 0), (2, 2), (4, 0), (4, 4), (2, 2), (0, 4)]  # two triangles that meet in a point
    assert inside(ring, (0.5, 1.5), (3.5, 1.5), (2, 1), (2, 3)) == [True, True, False, False]


def test_a_million_points_in_a_polygon_of_fifty_vertices_take_less_than_a_second():
    rng = np.random.default_rng(1)
    area = read_area(star(rng, 50))
    x, y = rng.uniform(0, 100, (2, 1_000_000))
    started = time.process_time()
    area.contains(x, y)
    assert time.process_time() - started < 1.0


# -- boxes held against areas ----------------------------------------------------------------------


@pytest.mark.parametrize("shape", ["box", "polygon", "holed"])
def test_boxes_that_are_said_to_be_outside_or_inside_are(shape):
    rng = np.random.default_rng(2)
    outer, hole = star(rng, 40), star(rng, 20, reach=(5.0, 15.0))
    area = read_area(
        {"box": (20, 30, 70, 80), "polygon": outer, "holed": geojson(outer, hole)}[shape]
    )
    low = rng.uniform(0, 100, (3000, 3))
    high = low + rng.uniform(0, 20, (3000, 3))
    touches, covers = area.touches(low, high), area.covers(low, high)
    samples = low[:, None] + rng.uniform(0, 1, (3000, 50, 3)) * (high - low)[:, None]
    samples[:, 0], samples[:, 1] = low, high
    held = area.contains(*samples.reshape(-1, 3).T).reshape(3000, 50)
    assert not held[~touches].any()
    assert held[covers].all()
    assert touches[covers].all()
    assert 100 < covers.sum() < (~touches).sum()  # neither answer is the lazy one


# -- frames ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("area", [(-93.1, 46.8, -93.0, 46.9), [(-93, 46), (-92, 46), (-92, 47)]])
def test_degrees_for_a_cloud_in_metres_are_refused(area):
    box = np.array([[576_665.0, 5_188_111.0, 150.0], [576_768.0, 5_188_213.0, 170.0]])
    with pytest.raises(CloudError, match=r"looks like longitude and latitude.*EPSG:32615"):
        read_area(area).check_units(box, UTM, "scan.laz")


def test_metres_for_a_cloud_in_degrees_are_refused():
    box = np.array([[-93.1, 46.8, 150.0], [-93.0, 46.9, 170.0]])
    with pytest.raises(CloudError, match=r"cannot be longitude and latitude"):
        read_area((576_665, 5_188_111, 576_768, 5_188_213)).check_units(
            box, CRS.from_epsg(4326), "scan.laz"
        )


def test_small_numbers_are_no_degrees_where_the_cloud_is_near():
    box = np.array([[-20.0, -30.0, 0.0], [20.0, 30.0, 5.0]])
    read_area((-5, -5, 5, 5)).check_units(box, UTM, "scan.laz")
    read_area(None).check_units(box * 1e6, UTM, "scan.laz")
