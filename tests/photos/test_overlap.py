"""Overlap and coverage of flights whose numbers are known."""

import numpy as np
import pytest
from pyproj import Transformer

from cupixgeo.photos.overlap import (
    Overlap,
    coverage,
    forward_and_side,
    overlap_of,
    shared_area,
    signed_areas,
    strips_of,
)

SQUARE = np.array([[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]])


def turned(points, degrees):
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return points @ np.array([[c, s], [-s, c]])


def survey(forward, side, *, wide=60.0, long=40.0, strips=4, photos=7, turn=0.0):
    """A lawn-mower flight with the overlaps asked for, north-south before it is turned."""
    quad = np.array([[-wide, long], [wide, long], [wide, -long], [-wide, -long]]) / 2
    track = []
    for strip in range(strips):
        y = np.arange(photos) * long * (1 - forward)
        x = np.full(photos, strip * wide * (1 - side))
        track += list(zip(x, y[::-1] if strip % 2 else y, strict=True))
    track = np.array(track)
    quads = track[:, None, :] + quad
    return turned(track, turn), turned(quads.reshape(-1, 2), turn).reshape(-1, 4, 2)


def test_shared_areas_are_those_of_the_closed_form():
    assert shared_area(SQUARE, SQUARE) == pytest.approx(1.0)
    assert shared_area(SQUARE, SQUARE + [0.25, 0.5]) == pytest.approx(0.375)
    assert shared_area(SQUARE, SQUARE + [2.0, 0.0]) == 0.0
    assert shared_area(SQUARE, SQUARE + [1.0, 0.0]) == pytest.approx(0.0)
    centred = SQUARE - 0.5
    octagon = 2 * (np.sqrt(2) - 1)
    assert shared_area(centred, turned(centred, 45)) == pytest.approx(octagon)
    assert shared_area(centred, turned(centred, 45)[::-1]) == pytest.approx(octagon)
    assert shared_area(centred, centred * 3) == pytest.approx(1.0)


def test_areas_have_a_sign():
    assert signed_areas(np.array([SQUARE, SQUARE[::-1], SQUARE * 2])).tolist() == [1.0, -1.0, 4.0]


@pytest.mark.parametrize("turn", [0.0, 33.0, 90.0, 200.0])
@pytest.mark.parametrize(("forward", "side"), [(0.8, 0.6), (0.6, 0.7), (0.7, 0.3)])
def test_a_planned_flight_has_the_overlaps_it_was_planned_with(forward, side, turn):
    found = forward_and_side(*survey(forward, side, turn=turn))
    assert found == (pytest.approx(forward), pytest.approx(side), 4)


def test_several_bands_of_one_exposure_are_one_photo():
    track, quads = survey(0.8, 0.6)
    found = forward_and_side(np.repeat(track, 5, axis=0), np.repeat(quads, 5, axis=0))
    assert found == (pytest.approx(0.8), pytest.approx(0.6), 4)


def test_a_cross_flight_is_compared_strip_by_strip_with_its_like():
    first, second = survey(0.8, 0.6), survey(0.8, 0.6, turn=90)
    middle = first[0].mean(axis=0) - second[0].mean(axis=0) + [3.0, 6.5]
    track = np.vstack([first[0], second[0] + middle])
    quads = np.vstack([first[1], second[1] + middle])
    assert forward_and_side(track, quads) == (pytest.approx(0.8), pytest.approx(0.6), 8)


def test_strips_end_at_turns_and_long_steps():
    track, _ = survey(0.8, 0.6)
    assert [len(strip) for strip in strips_of(track)] == [7, 7, 7, 7]
    line = np.column_stack([np.zeros(9), np.arange(9.0)])
    assert [len(s) for s in strips_of(np.vstack([line, line + [0, 40]]))] == [9, 9]
    assert [len(s) for s in strips_of(line[:1])] == [1]


def test_one_photo_or_one_strip_has_no_side_overlap():
    track, quads = survey(0.8, 0.6, strips=1)
    assert forward_and_side(track, quads) == (pytest.approx(0.8), None, 1)
    assert forward_and_side(track[:1], quads[:1]) == (None, None, 0)


def test_coverage_counts_the_photos_of_each_cell():
    quads = np.array([SQUARE * 64, SQUARE * 64 + [32, 0], turned(SQUARE, 90)[::-1] * 64 + [64, 0]])
    counts, cell, (west, south) = coverage(quads)
    assert (west, south) == (0.0, 0.0)
    assert cell == pytest.approx(2.0)
    assert counts.shape == (32, 48)
    assert counts[:, :16].tolist() == np.full((32, 16), 2).tolist()
    assert counts[:, 16:32].tolist() == np.full((32, 16), 3).tolist()
    assert counts[:, 32:].tolist() == np.full((32, 16), 1).tolist()


def test_the_area_of_a_turned_footprint_is_counted_right():
    quad = turned(np.array([[-30, 20], [30, 20], [30, -20], [-30, -20]], float), 27)[None]
    counts, cell, _ = coverage(quad)
    assert counts.sum() * cell**2 == pytest.approx(60 * 40, rel=0.02)


def test_a_long_corridor_stays_a_small_raster():
    quads = SQUARE * 50 + np.arange(4000)[:, None, None] * np.array([30.0, 30.0])
    counts, _, _ = coverage(quads)
    assert max(counts.shape) <= 2048
    assert counts.max() >= 1


def test_a_survey_on_the_ground_is_placed_by_longitude_and_latitude():
    """A flight made in UTM by pyproj has the overlaps and the area it has in metres."""
    track, quads = survey(0.8, 0.6)
    to_degrees = Transformer.from_crs(32615, 4326, always_xy=True)
    origin = np.array([576_700.0, 5_188_160.0])
    places = np.column_stack(to_degrees.transform(*(track + origin).T))
    flat = np.column_stack(to_degrees.transform(*(quads.reshape(-1, 2) + origin).T))
    found = overlap_of(places, flat.reshape(-1, 4, 2))
    assert (found.forward, found.side, found.strips) == (
        pytest.approx(0.8, abs=1e-3),
        pytest.approx(0.6, abs=1e-3),
        4,
    )
    across, along = 60 + 3 * 24, 40 + 6 * 8
    assert found.area_m2 == pytest.approx(across * along, rel=0.03)
    west, south, east, north = found.bounds_deg
    assert west == pytest.approx(flat[:, 0].min(), abs=1e-6)
    assert south == pytest.approx(flat[:, 1].min(), abs=1e-6)
    assert east >= flat[:, 0].max() - 1e-9
    assert north >= flat[:, 1].max() - 1e-9
    assert found.median_views >= 5
    assert found.share_seen(1) == 1.0
    assert 0 < found.share_seen(8) < found.share_seen(3) < 1


def test_it_shows_itself_in_words():
    empty = Overlap(None, None, 0, np.zeros((2, 2), np.uint16), 1.0, (0, 0, 1, 1))
    assert repr(empty) == "<Overlap unknown forward, unknown side, 0 strips, 0 ha seen>"
    assert (empty.median_views, empty.share_seen(1)) == (0.0, 0.0)
