"""An area keeps its edges and its CRS, whichever way it goes: checked against PROJ."""

import json

import numpy as np
import pytest
from pyproj import CRS, Transformer

from cupixgeo.errors import CloudError
from cupixgeo.formats.extent import read_area
from cupixgeo.widgets.aoi import TOLERANCE_M, Aoi, drawn

UTM = 32615
SITE = np.array(
    [[-91.9950, 46.8415], [-91.9920, 46.8412], [-91.9915, 46.8438], [-91.9948, 46.8440]]
)
DISTRICT = np.array([[-92.3, 46.6], [-91.7, 46.62], [-91.6, 46.9], [-92.25, 46.95]])


def along(ring, steps=200):
    """Points on the edges of a ring, shape (n * steps, 2)."""
    part = np.linspace(0, 1, steps, endpoint=False)[:, None]
    ends = np.roll(ring, -1, axis=0)
    return np.concatenate([a + part * (b - a) for a, b in zip(ring, ends, strict=True)])


def off_course(points, ring):
    """Greatest distance of points from the edges of a ring."""
    starts, ends = ring, np.roll(ring, -1, axis=0)
    edge = ends - starts
    t = ((points[:, None] - starts) * edge).sum(-1) / (edge**2).sum(-1)
    nearest = starts + np.clip(t, 0, 1)[..., None] * edge
    return float(np.linalg.norm(points[:, None] - nearest, axis=2).min(axis=1).max())


def moved(xy, source, target):
    transformer = Transformer.from_crs(source, target, always_xy=True)
    return np.column_stack(transformer.transform(*np.asarray(xy).T))


@pytest.mark.parametrize("ring", [SITE, DISTRICT], ids=["site", "district"])
@pytest.mark.parametrize("crs", [UTM, 26915, 4326])
def test_edges_drawn_straight_on_the_screen_are_where_proj_puts_them(ring, crs):
    aoi = drawn(ring, crs)
    screen = along(moved(ring, 4326, 3857))
    metres = 111_320 if CRS(crs).is_geographic else 1
    truth = moved(moved(screen, 3857, 4326), 4326, crs)
    assert off_course(truth, aoi.xy) * metres < 1.5 * TOLERANCE_M


def test_a_small_site_keeps_its_four_corners():
    aoi = drawn(SITE, UTM)
    assert len(aoi.vertices) == 4
    assert aoi.xy == pytest.approx(moved(SITE, 4326, UTM), abs=1e-3)
    assert len(drawn(DISTRICT, UTM).vertices) > 50


@pytest.mark.parametrize("crs", [UTM, 26915, 4326])
def test_an_area_set_in_a_crs_is_drawn_where_proj_puts_it(crs):
    box = moved(DISTRICT, 4326, crs)
    aoi = Aoi.from_area(box, crs)
    truth = moved(moved(along(box), crs, 4326), 4326, 3857)
    seen = moved(aoi.lon_lat(), 4326, 3857)
    assert off_course(truth, seen) * np.cos(np.radians(46.7)) < 1.5 * TOLERANCE_M


def test_an_area_keeps_its_crs_and_its_vertices_exactly():
    ring = [(576690.125, 5188135.5), (576735.0, 5188140.0), (576730.0, 5188175.0)]
    aoi = Aoi.from_area(ring, UTM)
    assert aoi.vertices == tuple(ring)
    assert aoi.crs == CRS(UTM)
    assert aoi.to_crs("EPSG:32615") is aoi
    assert aoi == Aoi.from_area(aoi, UTM)
    assert hash(aoi) == hash(Aoi(tuple(ring), CRS(UTM)))


def test_it_can_be_given_wherever_an_area_is_asked_for():
    aoi = Aoi.from_area([576_690, 5_188_130, 576_740, 5_188_180], UTM)
    area = read_area(aoi)
    x, y = np.array([576_700, 576_745]), np.array([5_188_150, 5_188_150])
    assert area.contains(x, y).tolist() == [True, False]
    assert aoi.bounds == (576_690, 5_188_130, 576_740, 5_188_180)
    assert aoi.area_m2 == pytest.approx(2500)


def test_geojson_is_longitude_and_latitude_counter_clockwise_and_closed():
    clockwise = [(576_690, 5_188_130), (576_690, 5_188_180), (576_740, 5_188_180)]
    feature = json.loads(json.dumps(Aoi.from_area(clockwise, UTM).geojson()))
    (ring,) = feature["geometry"]["coordinates"]
    assert ring[0] == ring[-1]
    assert -92.0 < ring[0][0] < -91.9
    x, y = np.array(ring).T
    assert (x[:-1] * y[1:] - x[1:] * y[:-1]).sum() > 0
    assert ring[:-1] == pytest.approx(moved(clockwise[::-1], UTM, 4326), abs=1e-7)


def test_area_of_a_circle_is_that_of_a_circle_in_any_crs():
    turn = np.linspace(0, 2 * np.pi, 400, endpoint=False)
    ring = np.column_stack([576_700 + 500 * np.cos(turn), 5_188_000 + 500 * np.sin(turn)])
    aoi = Aoi.from_area(ring, UTM)
    assert aoi.area_m2 == pytest.approx(np.pi * 500**2, rel=1e-4)
    assert aoi.to_crs(4326).area_m2 == pytest.approx(np.pi * 500**2, rel=5e-3)


@pytest.mark.parametrize(
    ("area", "words"),
    [
        ([(0, 0), (10, 10), (10, 0), (0, 10)], "crosses itself"),
        ([(0, 0), (5, 5), (10, 10)], "no area"),
        ([5, 5, 5, 9], "no inside"),
        ({"type": "Polygon", "coordinates": []}, "no polygon"),
        (
            {
                "type": "Polygon",
                "coordinates": [
                    [[0, 0], [9, 0], [9, 9], [0, 9], [0, 0]],
                    [[2, 2], [3, 2], [3, 3], [2, 2]],
                ],
            },
            "holes",
        ),
    ],
)
def test_what_is_no_area_is_refused_with_a_reason(area, words):
    with pytest.raises(CloudError, match=words):
        Aoi.from_area(area, UTM)


def test_it_says_what_it_is():
    aoi = Aoi.from_area([576_690, 5_188_130, 576_740, 5_188_180], UTM)
    assert str(aoi) == "4 corners, 2,500 m², EPSG:32615 (WGS 84 / UTM zone 15N)"
    assert eval(aoi.code()) == list(aoi.vertices)
