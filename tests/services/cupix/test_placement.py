"""Where a sub lies: against the truth of the emulator, PROJ's own pipelines, and bad input."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from pyproj import Transformer

from cupixgeo.emulator import Emulator
from cupixgeo.errors import ArgumentError, NotReadyError, PlacementWarning, TransformError
from cupixgeo.geodesy.crs import frame_name
from cupixgeo.services.cupix.placement import place
from cupixgeo.services.cupix.pointcloud import Facility, Pointcloud
from tests.services.cupix.samples import flat, group_of, matrix, sub_of

HALL = Facility(12, "key", "Hall")


@pytest.fixture
def ids(emu):
    return emu.world.cupix.ids


def test_every_sub_lands_on_the_original_scan(account, emu):
    """Points of the original file, taken to geocentric by PROJ alone, are where ours arrive."""
    site = emu.world.brighton
    to_geocentric = Transformer.from_pipeline(
        "+proj=pipeline +step +inv +proj=utm +zone=15 +ellps=WGS84 +step +proj=cart +ellps=WGS84"
    )
    for sub_id, sub in site.subs.items():
        placement = account.placement(sub_id)
        assert placement.target.to_epsg() == 4978
        assert frame_name(placement.source) == f"cupix:pointcloud/{sub_id}"
        rows = slice(None, None, 97)
        original = site.original_xyz[sub.original_indices[rows]]
        expected = np.stack(to_geocentric.transform(*original.T), axis=-1)
        error = np.abs(placement.apply(sub.file_xyz[rows]) - expected)
        assert error.max() < 0.0001  # files are stored to 0.1 mm


def test_the_whole_chain_agrees_with_an_independent_one_to_a_micrometre(account, emu):
    """2 km out: matrices in extended precision, then PROJ's topocentric step backwards."""
    site = emu.world.brighton
    origin = site.georeference
    beta = np.radians(np.longdouble(origin.bearing_deg))
    to_enu = np.array(
        [[np.cos(beta), np.sin(beta), 0], [-np.sin(beta), np.cos(beta), 0], [0, 0, 1]],
        dtype=np.longdouble,
    )
    to_geocentric = Transformer.from_pipeline(
        f"+proj=pipeline +step +inv +proj=topocentric +ellps=WGS84 +lat_0={origin.lat_deg!r} "
        f"+lon_0={origin.lon_deg!r} +h_0={origin.alt_m!r}"
    )
    points = np.array([[x, y, z] for x in (-2e3, 0, 2e3) for y in (-2e3, 2e3) for z in (-50, 80)])
    for sub in site.subs.values():
        whole = sub.cluster_to_facility.astype(np.longdouble) @ sub.tm.astype(np.longdouble)
        facility = (points * np.longdouble(sub.scale)) @ whole[:3, :3].T + whole[:3, 3]
        enu = (facility @ to_enu.T).astype(np.float64)
        expected = np.stack(to_geocentric.transform(*enu.T), axis=-1)
        placed = account.placement(sub.id).apply(points)
        assert np.abs(placed - expected).max() < 1e-6


def test_column_major_matrices_are_found_out(connect, account, ids):
    with Emulator(seed=7, matrix_order="column") as columns:
        other = connect(emulator=columns)
        for sub_id in (ids.sub, ids.scaled_sub, ids.odd.baked_scale):
            np.testing.assert_array_equal(
                other.placement(sub_id).matrix, account.placement(sub_id).matrix
            )


def test_the_steps_lead_from_the_file_to_the_earth(account, ids):
    steps = account.placement_steps(ids.scaled_sub)
    assert steps["source"].tolist() == [
        f"cupix:pointcloud/{ids.scaled_sub}",
        f"cupix:cluster/{ids.scaled_cluster}",
        f"cupix:facility/{ids.facility}",
    ]
    assert steps["target"].tolist()[:2] == steps["source"].tolist()[1:]
    assert steps["scale"].round(9).tolist() == [0.85, 1.0, 1.0]
    assert "agrees with the chain" in steps["note"][0]
    assert steps.attrs["doubts"] == []


def test_without_georeference_it_ends_at_the_facility(account, ids):
    placement = account.placement(ids.local_facility and 5701)
    assert frame_name(placement.target) == f"cupix:facility/{ids.local_facility}"


def test_a_group_without_cluster_lends_its_own_frame(account, ids):
    steps = account.placement_steps(ids.odd.no_cluster)
    assert steps["target"][0] == f"cupix:pointcloud/{ids.odd.no_cluster_group}"


def test_a_group_is_not_placed_and_its_subs_are_named(account, ids):
    with pytest.raises(NotReadyError, match="5310, 5311, 5312, 5313"):
        account.placement(ids.group)


# -- scale ---------------------------------------------------------------------------------------


def test_a_scale_that_is_in_the_matrix_is_not_applied_twice(account, ids):
    assert account.placement(ids.odd.baked_scale).scale == pytest.approx([1.25] * 3)
    assert account.placement(ids.scaled_sub).scale == pytest.approx([0.85] * 3)


def test_a_scale_that_contradicts_the_matrix_is_refused_with_the_numbers(account, ids):
    with pytest.raises(TransformError, match=r"pointcloud 5913 .*1\.1.*1\.25"):
        account.placement(ids.odd.odd_scale)


# -- doubts --------------------------------------------------------------------------------------


@pytest.mark.parametrize("case", ["empty_matrix", "missing_matrix"])
def test_no_matrix_is_said_and_taken_as_the_parents_place(account, ids, case):
    sub_id = getattr(ids.odd, case)
    with pytest.warns(PlacementWarning, match=f"pointcloud {sub_id} .*no matrix"):
        placement = account.placement(sub_id)
    steps = account.placement_steps(sub_id)
    assert steps["rotation_deg"][0] == pytest.approx(0, abs=1e-6)
    assert steps[["x", "y", "z"]].iloc[0].abs().max() < 1e-9
    assert placement.is_rigid


def test_a_contradicting_wtm_is_taken_and_said_with_the_numbers(account, ids):
    with pytest.warns(PlacementWarning, match=r"differ by .*its origin by 1 m; wtm was taken"):
        account.placement(ids.odd.contradiction)


def test_a_turn_without_a_shift_is_read_as_the_other_matrices_are(account, ids):
    """The group's matrix tells the order; what is left is that this wtm contradicts the chain."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        account.placement(ids.odd.ambiguous)
    assert [type(w.message) for w in caught] == [PlacementWarning]
    assert "wtm was taken" in str(caught[0].message)


def test_a_bim_correction_is_reported_and_not_applied(account, ids):
    with pytest.warns(PlacementWarning, match=r"bim_icp_tm.*not applied"):
        account.placement(ids.odd.bim_aligned)


def test_what_a_person_moved_wins(account, ids):
    """The group's user_prop is what its subs were composed with; nothing is in doubt."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        account.placement(ids.odd.moved)


@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("not_affine", r"tm of pointcloud 5904 .* cannot be used: .*not an affine"),
        ("mirrored", r"pointcloud 5905 .* cannot be placed: .*mirrors: its determinant is -1"),
        ("sheared", r"pointcloud 5906 .* cannot be placed: .*shears"),
    ],
)
def test_a_matrix_that_is_no_placement_is_refused_naming_the_object(account, ids, case, words):
    with pytest.raises(TransformError, match=words):
        account.placement(getattr(ids.odd, case))


# -- which georeference --------------------------------------------------------------------------


def origin_deg(placement, frame_point):
    to_lon_lat = Transformer.from_crs(4978, 4979, always_xy=True)
    return to_lon_lat.transform(*placement.apply(frame_point))


def test_the_own_georeference_wins_then_the_frozen_one_then_the_facilitys(account, ids):
    here = [0.0, 0.0, 0.0]
    own = origin_deg(account.placement(ids.odd.own_georeference), here)
    frozen = origin_deg(account.placement(ids.odd.frozen_georeference), here)
    shared = origin_deg(account.placement(ids.odd.baked_scale), here)
    assert own[:2] == pytest.approx((-92.1, 46.95), abs=0.001)
    assert frozen == pytest.approx(own)
    assert shared[:2] == pytest.approx((-92.05, 46.9), abs=0.001)


def test_a_projected_georeference_places_too(account, ids):
    site = account.georeference(ids.big_facility)
    lon, lat, height = origin_deg(account.placement(5401), [0.0, 0.0, 0.0])
    assert (lat, lon) == pytest.approx((site.lat_deg, site.lon_deg), abs=0.002)
    assert height == pytest.approx(site.alt_m, abs=5)


def test_a_georeference_without_height_is_noted():
    site = Facility(12, "key", "Hall", {"lat": 46.0, "lon": 7.0, "alt": None})
    steps = place(sub_of(tm=flat(np.eye(4))), None, site).to_frame()
    assert "states no height" in steps["note"].iloc[-1]


# -- without a service ---------------------------------------------------------------------------


def test_an_ambiguous_turn_alone_is_said_and_read_as_rows():
    turn = matrix(yaw_deg=90)
    placed = place(sub_of(tm=flat(turn)), None, HALL)
    assert "rows or columns" in placed.doubts[0]
    np.testing.assert_allclose(placed.transform.apply([1.0, 0, 0]), [0, 1, 0], atol=1e-12)
    other = place(sub_of(tm=flat(turn)), None, HALL, order="column")
    np.testing.assert_allclose(other.transform.apply([1.0, 0, 0]), [0, -1, 0], atol=1e-12)
    assert other.doubts == ()


def test_an_identity_is_the_same_either_way_and_not_in_doubt():
    placed = place(sub_of(tm=flat(np.eye(4))), group_of(tm=flat(np.eye(4))), HALL)
    assert placed.doubts == ()
    np.testing.assert_array_equal(placed.transform.matrix, np.eye(4))


def test_the_group_acts_after_the_sub():
    sub, group = matrix(shift=(10, 0, 0)), matrix(yaw_deg=90, shift=(0, 0, 5))
    placed = place(sub_of(tm=flat(sub)), group_of(wtm=flat(group)), HALL)
    np.testing.assert_allclose(placed.transform.apply([0.0, 0, 0]), [0, 10, 5], atol=1e-12)


@pytest.mark.parametrize(("off", "doubtful"), [(4e-7, False), (4e-6, True)])
def test_wtm_may_differ_by_a_millionth(off, doubtful):
    group = matrix(yaw_deg=30, shift=(3, 4, 0))
    stated = group @ matrix(shift=(1, 0, 0))
    stated[0, 0] += off
    placed = place(sub_of(tm=flat(matrix(shift=(1, 0, 0))), wtm=flat(stated)),
                   group_of(tm=flat(group)), HALL)  # fmt: skip
    assert bool(placed.doubts) == doubtful


def test_a_group_without_a_matrix_is_in_doubt_too():
    placed = place(sub_of(tm=flat(np.eye(4))), group_of(tm=[]), HALL)
    assert "pointcloud 1" in placed.doubts[0]


def test_without_a_facility_the_frame_is_its_own_and_that_is_said():
    placed = place(sub_of(tm=flat(np.eye(4)), record={"id": 602}), None, None)
    assert frame_name(placed.transform.target) == "cupix:record/602"
    assert "no facility" in placed.doubts[0]
    alone = place(sub_of(tm=flat(np.eye(4))), None, None)
    assert frame_name(alone.transform.target) == "cupix:world/2"


@pytest.mark.parametrize("values", [[1] * 15, "identity", [None] * 16, [np.nan] * 16, {"a": 1}])
def test_what_is_no_matrix_names_the_object(values):
    with pytest.raises(TransformError, match="tm of pointcloud 2"):
        place(sub_of(tm=values), None, HALL)


def test_a_group_cannot_be_placed_by_itself():
    with pytest.raises(ArgumentError, match="is a group"):
        place(group_of(tm=flat(np.eye(4))), None, HALL)


def test_meta_that_is_missing_altogether_is_no_matrix():
    for meta in (None, {}, {"prop": None}, {"prop": []}, {"user_prop": {}}):
        cloud = Pointcloud.from_attributes({"id": 2, "kind": "sub", "meta": meta})
        assert "no matrix" in place(cloud, None, HALL).doubts[0]
