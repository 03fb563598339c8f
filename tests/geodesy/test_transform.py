"""Matrices between frames: what is refused, how they chain, what they do to points."""

import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cupixgeo.errors import CrsError, FrameError, TransformError
from cupixgeo.geodesy.transform import Transform

A, B, C, D = (f"cupix:pointcloud/{i}" for i in range(4))


def rotation(axis, angle_deg):
    """Rodrigues' formula, written out."""
    x, y, z = np.asarray(axis) / np.linalg.norm(axis)
    cross = np.array([[0, -z, y], [z, 0, -x], [-y, x, 0]])
    angle = math.radians(angle_deg)
    return np.eye(3) + math.sin(angle) * cross + (1 - math.cos(angle)) * cross @ cross


def placement(linear=None, translation=(0.0, 0, 0)):
    matrix = np.eye(4)
    matrix[:3, :3] = np.eye(3) if linear is None else linear
    matrix[:3, 3] = translation
    return matrix


numbers = st.floats(-1, 1, allow_nan=False, width=32)


@st.composite
def placements(draw):
    axis = draw(st.tuples(numbers, numbers, numbers).filter(lambda v: np.linalg.norm(v) > 0.1))
    scale = draw(st.floats(0.2, 5))
    linear = scale * rotation(axis, draw(st.floats(-180, 180)))
    translation = 1e3 * np.array(draw(st.tuples(numbers, numbers, numbers)))
    return placement(linear, translation)


points_of = st.lists(st.tuples(numbers, numbers, numbers), min_size=1, max_size=5).map(
    lambda rows: 1e3 * np.array(rows)
)


@settings(max_examples=60, deadline=None)
@given(placements(), placements(), points_of)
def test_b_after_a_is_b_at_a(first, second, xyz):
    a, b = Transform(first, source=A, target=B), Transform(second, source=B, target=C)
    both = b @ a
    expected = np.array([(second @ (first @ np.array([*point, 1.0])))[:3] for point in xyz])
    np.testing.assert_allclose(both.apply(xyz), expected, rtol=0, atol=1e-7)
    np.testing.assert_allclose(b.apply(a.apply(xyz)), expected, rtol=0, atol=1e-7)


@settings(max_examples=60, deadline=None)
@given(placements(), placements(), placements())
def test_chaining_is_associative(first, second, third):
    a = Transform(first, source=A, target=B)
    b = Transform(second, source=B, target=C)
    c = Transform(third, source=C, target=D)
    left, right = (c @ b) @ a, c @ (b @ a)
    np.testing.assert_allclose(left.matrix, right.matrix, rtol=1e-12, atol=1e-9)
    assert (left.source, left.target) == (right.source, right.target)


@settings(max_examples=60, deadline=None)
@given(placements(), points_of)
def test_the_inverse_leads_back(matrix, xyz):
    there = Transform(matrix, source=A, target=B)
    np.testing.assert_allclose(there.inverse.apply(there.apply(xyz)), xyz, rtol=0, atol=1e-8)
    np.testing.assert_allclose(there.inverse.matrix @ matrix, np.eye(4), rtol=0, atol=1e-8)
    assert there.inverse.source == there.target


@settings(max_examples=30, deadline=None)
@given(placements())
def test_the_identity_changes_nothing(matrix):
    there = Transform(matrix, source=A, target=B)
    assert there @ Transform.identity(A) == there
    assert Transform.identity(B) @ there == there


def test_points_are_turned_then_shifted():
    quarter = Transform(
        placement([[0, -1, 0], [1, 0, 0], [0, 0, 1]], (10, 20, 30)), source=A, target=B
    )
    np.testing.assert_array_equal(
        quarter.apply([[1, 0, 0], [0, 1, 0], [0, 0, 1]]),
        [[10, 21, 30], [9, 20, 30], [10, 20, 31]],
    )
    np.testing.assert_array_equal(quarter.apply([1, 0, 0]), [10, 21, 30])
    assert quarter.apply(np.empty((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("shape", [(2, 4), (3, 2), (2,), (1, 1, 3), ()])
def test_points_have_three_columns(shape):
    with pytest.raises(TransformError, match="give \\(n, 3\\)"):
        Transform.identity(A).apply(np.zeros(shape))


def test_a_scale_differs_by_axis_if_it_must():
    linear = rotation((1, 2, 3), 40) @ np.diag([1, 2, 3])
    there = Transform(placement(linear), source=A, target=B)
    np.testing.assert_allclose(there.scale, [1, 2, 3], rtol=1e-12)
    assert not there.is_rigid


def test_the_angles_are_those_of_the_matrix():
    there = Transform(placement(rotation((0, 0, 1), 30)), source=A, target=B)
    assert there.yaw_deg == pytest.approx(30)
    assert there.rotation_deg == pytest.approx(30)
    assert there.tilt_deg == pytest.approx(0)
    assert there.is_rigid
    tilted = Transform(placement(3 * rotation((1, 0, 0), 12)), source=A, target=B)
    assert tilted.tilt_deg == pytest.approx(12)
    assert tilted.rotation_deg == pytest.approx(12)


def test_turns_between_unequal_scales_may_shear():
    stretch = Transform(np.diag([1.0, 2, 1, 1]), source=B, target=C)
    turn = Transform(placement(rotation((0, 0, 1), 45)), source=A, target=B)
    both = stretch @ turn
    np.testing.assert_allclose(both.matrix, stretch.matrix @ turn.matrix, rtol=1e-15)
    np.testing.assert_allclose(
        both.inverse.apply(both.apply([[1.0, 2, 3]])), [[1, 2, 3]], atol=1e-12
    )
    assert pickle.loads(pickle.dumps(both)) == both


def test_chaining_refuses_foreign_frames():
    a, b = Transform.identity(A, B), Transform.identity(C, D)
    with pytest.raises(FrameError, match=f"{B}.*{C}") as caught:
        b @ a
    assert isinstance(caught.value, ValueError)


def test_chaining_the_wrong_way_round_says_so():
    a, b = Transform.identity(A, B), Transform.identity(B, C)
    with pytest.raises(FrameError, match="other way round"):
        a @ b


def test_only_transforms_chain():
    with pytest.raises(TypeError):
        Transform.identity(A) @ np.eye(4)
    with pytest.raises(TypeError):
        np.eye(4) @ Transform.identity(A)


def test_both_wire_orders_give_the_same_transform():
    matrix = placement(rotation((1, 2, 3), 50), (5, 6, 7))
    row = Transform.from_row_major(matrix.ravel().tolist(), source=A, target=B)
    column = Transform.from_column_major(matrix.T.ravel().tolist(), source=A, target=B)
    assert row == column == Transform(matrix, source=A, target=B)


@pytest.mark.parametrize("read", [Transform.from_row_major, Transform.from_column_major])
@pytest.mark.parametrize("values", [[], [1.0] * 15, [[1.0] * 4] * 4, ["x"] * 16])
def test_a_wire_matrix_has_sixteen_numbers(read, values):
    with pytest.raises(TransformError, match=r"16 numbers|not made of numbers"):
        read(values, source=A, target=B)


def test_an_empty_wire_matrix_means_not_placed():
    with pytest.raises(TransformError, match="not placed yet"):
        Transform.from_row_major([], source=A, target=B)


@pytest.mark.parametrize("shape", [(3, 3), (16,), (4, 3), (0,)])
def test_a_matrix_is_four_by_four(shape):
    with pytest.raises(TransformError, match=r"not \(4, 4\)"):
        Transform(np.ones(shape), source=A, target=B)


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_not_finite_is_refused_with_its_place(number):
    matrix = np.eye(4)
    matrix[1, 3] = number
    with pytest.raises(TransformError, match=rf"\[1, 3\] = {number}"):
        Transform(matrix, source=A, target=B)


def test_a_mirror_is_refused_with_its_determinant():
    with pytest.raises(TransformError, match="determinant is -8"):
        Transform(np.diag([2.0, 2, -2, 1]), source=A, target=B)


def test_a_shear_is_refused_with_its_angle():
    sheared = placement([[1, 0.1, 0], [0, 1, 0], [0, 0, 1]])
    with pytest.raises(TransformError, match=r"x and y axes meet at 84\.28.*cosine 0\.0995"):
        Transform(sheared, source=A, target=B)


def test_a_flat_matrix_is_refused_with_its_scales():
    with pytest.raises(TransformError, match=r"\[1\.0, 1\.0, 0\.0\].*flattens"):
        Transform(np.diag([1.0, 1, 0, 1]), source=A, target=B)
    coplanar = placement([[1, 0, 1], [0, 1, 1], [0, 0, 0]])
    with pytest.raises(TransformError, match="in one plane"):
        Transform(coplanar, source=A, target=B)


def test_a_projective_row_is_refused_with_its_numbers():
    matrix = np.eye(4)
    matrix[3] = (1, 2, 3, 1)
    with pytest.raises(TransformError, match=r"1\.0, 2\.0, 3\.0, 1\.0.*from_column_major"):
        Transform(matrix, source=A, target=B)


def test_an_error_names_the_frames():
    with pytest.raises(TransformError, match=f"from {A} to {B}"):
        Transform(np.diag([1.0, 1, -1, 1]), source=A, target=B)


def test_an_unknown_crs_is_refused():
    with pytest.raises(CrsError, match="999999"):
        Transform(np.eye(4), source=A, target=999999)


@pytest.mark.parametrize("angle", [3.0, 77.0, 179.5])
def test_matrices_rounded_to_float32_or_six_decimals_are_placements(angle):
    linear = 1.02 * rotation((1, -2, 3), angle)
    for rounded in (linear.astype(np.float32).astype(np.float64), np.round(linear, 6)):
        there = Transform(placement(rounded, (500000, 4100000, 30)), source=A, target=B)
        np.testing.assert_allclose(there.scale, 1.02, rtol=2e-6)


def test_a_rotation_rounded_to_float32_is_rigid():
    linear = rotation((1, -2, 3), 33).astype(np.float32).astype(np.float64)
    assert Transform(placement(linear), source=A, target=B).is_rigid


def test_it_cannot_be_changed():
    given_matrix = np.eye(4)
    there = Transform(given_matrix, source=A, target=B)
    given_matrix[0, 3] = 9
    assert there.matrix[0, 3] == 0
    with pytest.raises(ValueError, match="read-only"):
        there.matrix[0, 0] = 2
    with pytest.raises(AttributeError):
        there.matrix = np.eye(4)


def test_equal_transforms_hash_alike():
    one = Transform(-0.0 * np.eye(4) + np.eye(4), source=A, target=32650)
    other = Transform(np.eye(4), source=A, target=one.target.to_wkt("WKT1_GDAL"))
    assert one == other
    assert hash(one) == hash(other)
    assert one != Transform(np.eye(4), source=B, target=32650)
    assert one != Transform(np.diag([2.0, 2, 2, 1]), source=A, target=32650)
    assert one != np.eye(4).tolist()


def test_it_survives_pickle_and_stays_read_only():
    there = Transform(placement(rotation((1, 1, 0), 10), (1, 2, 3)), source=A, target=4978)
    again = pickle.loads(pickle.dumps(there))
    assert again == there
    assert not again.matrix.flags.writeable


def test_numbers_written_to_json_come_back():
    matrix = placement(rotation((3, 1, 2), 21), (123456.789, -0.1, 1e-3))
    text = json.dumps(Transform(matrix, source=A, target=B).matrix.ravel().tolist())
    assert Transform.from_row_major(json.loads(text), source=A, target=B).matrix.tolist() == (
        matrix.tolist()
    )


def test_repr_says_where_from_where_to_and_how_much():
    there = Transform(placement(2 * rotation((0, 0, 1), 30), (1, 2, 3)), source=A, target=32650)
    for text in (repr(there), there._repr_html_()):
        for part in (A, "EPSG:32650", "30.0000°", "2", "(1.0000, 2.0000, 3.0000)"):
            assert part in text


def test_html_does_not_carry_markup_from_a_name():
    there = Transform.identity("file:<script>.laz", B)
    assert "<script>" not in there._repr_html_()


def test_a_georeference_or_its_numbers_but_not_both():
    with pytest.raises(TransformError, match="give either"):
        Transform.from_georeference(source=A)
