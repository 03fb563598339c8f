"""What 16 numbers of unstated order can mean, and a scale beside them."""

import numpy as np
import pytest

from cupixgeo.errors import TransformError
from cupixgeo.geodesy.wire import apply_scale, disagreement, read_matrix

TURN = np.array([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])


def affine(linear=TURN, translation=(0.0, 0, 0)):
    matrix = np.eye(4)
    matrix[:3, :3] = linear
    matrix[:3, 3] = translation
    return matrix


def test_a_translation_in_the_last_column_means_row_major():
    matrix = affine(translation=(5, 6, 7))
    wire = read_matrix(matrix.ravel().tolist())
    assert (wire.order, wire.ambiguous) == ("row", False)
    np.testing.assert_array_equal(wire.matrix, matrix)


def test_a_translation_in_the_last_row_means_column_major():
    matrix = affine(translation=(5, 6, 7))
    wire = read_matrix(matrix.T.ravel().tolist())
    assert (wire.order, wire.ambiguous) == ("column", False)
    np.testing.assert_array_equal(wire.matrix, matrix)


def test_without_translation_it_is_read_row_major_and_said_to_be_ambiguous():
    wire = read_matrix(affine().ravel().tolist())
    assert (wire.order, wire.ambiguous, wire.order_matters) == ("row", True, True)
    np.testing.assert_array_equal(wire.matrix, affine())


def test_an_identity_is_ambiguous_but_its_order_does_not_matter():
    wire = read_matrix(np.eye(4).ravel().tolist())
    assert wire.ambiguous
    assert not wire.order_matters


def test_a_stated_order_is_not_ambiguous():
    values = affine().ravel().tolist()
    assert not read_matrix(values, order="row").ambiguous
    column = read_matrix(values, order="column")
    assert not column.ambiguous
    np.testing.assert_array_equal(column.matrix, affine().T)


@pytest.mark.parametrize(("order", "values"), [("row", "T"), ("column", "same")])
def test_a_stated_order_that_does_not_fit_says_that_the_other_would(order, values):
    matrix = affine(translation=(5, 6, 7))
    numbers = (matrix.T if values == "T" else matrix).ravel().tolist()
    with pytest.raises(TransformError, match=f"in {order} order.*other way round"):
        read_matrix(numbers, order=order)


def test_a_projective_matrix_is_refused_with_its_numbers():
    matrix = affine(translation=(5, 6, 7))
    matrix[3] = (0.25, 0, 0, 1)
    with pytest.raises(TransformError, match=r"not an affine.*5\.0, 6\.0, 7\.0.*0\.25"):
        read_matrix(matrix.ravel().tolist())


def test_a_matrix_without_its_one_is_refused():
    matrix = affine(translation=(5, 6, 7))
    matrix[3, 3] = 2
    with pytest.raises(TransformError, match=r"2\.0"):
        read_matrix(matrix.ravel().tolist())


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e4])
def test_the_tolerance_for_zeros_follows_the_matrix_scale(scale):
    matrix = affine(scale * TURN, translation=(5, 6, 7))
    matrix[3, 0] = 0.5e-9 * scale
    wire = read_matrix(matrix.ravel().tolist())
    assert wire.order == "row"
    assert wire.matrix[3].tolist() == [0, 0, 0, 1]
    matrix[3, 0] = 2e-9 * scale
    with pytest.raises(TransformError, match="not an affine"):
        read_matrix(matrix.ravel().tolist())


@pytest.mark.parametrize("values", [[], None, ()])
def test_no_numbers_mean_not_placed(values):
    with pytest.raises(TransformError, match="not placed"):
        read_matrix(values)


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ([1.0] * 15, r"\(15,\)"),
        (np.eye(4).tolist(), r"\(4, 4\)"),
        (["a"] * 16, "not made of 16 numbers"),
        ([float("nan")] + [0.0] * 15, "number 1 is nan"),
        ([0.0] * 11 + [float("inf")] + [0.0] * 4, "number 12 is inf"),
        ([None] * 16, "not finite"),
    ],
)
def test_what_is_not_16_finite_numbers_is_refused(values, said):
    with pytest.raises(TransformError, match=said):
        read_matrix(values)


def test_a_scale_already_in_the_matrix_is_left_there():
    matrix = affine(TURN @ np.diag([2, 3, 4]), (5, 6, 7))
    scaled, note = apply_scale(matrix, [2, 3, 4])
    np.testing.assert_array_equal(scaled, matrix)
    assert "already in the matrix" in note


def test_a_scale_beside_a_rigid_matrix_is_applied_first():
    matrix = affine(TURN, (5, 6, 7))
    scaled, note = apply_scale(matrix, [2, 3, 4])
    point = np.array([1.0, 1, 1, 1])
    np.testing.assert_allclose(scaled @ point, matrix @ [2, 3, 4, 1], rtol=1e-15)
    assert "applied first" in note


@pytest.mark.parametrize("wscale", [None, [], [1, 1, 1]])
def test_no_scale_changes_nothing(wscale):
    matrix = affine(TURN, (5, 6, 7))
    scaled, note = apply_scale(matrix, wscale)
    np.testing.assert_array_equal(scaled, matrix)
    assert note == ""


def test_a_contradiction_is_refused_with_both_scales():
    with pytest.raises(TransformError, match=r"2\.0, 2\.0, 2\.0.*3\.0, 3\.0, 3\.0"):
        apply_scale(affine(2 * TURN), [3, 3, 3])


def test_a_matrix_that_scales_beside_a_scale_of_one_is_a_contradiction():
    with pytest.raises(TransformError, match=r"2\.0, 2\.0, 2\.0.*1\.0, 1\.0, 1\.0"):
        apply_scale(affine(2 * TURN), [1, 1, 1])


@pytest.mark.parametrize("wscale", [[1, 1], [1, 0, 1], [1, -1, 1], [1, float("nan"), 1], ["a"] * 3])
def test_a_scale_is_three_positive_numbers(wscale):
    with pytest.raises(TransformError, match="the scale is"):
        apply_scale(affine(), wscale)


def test_disagreement_is_relative_to_scale_and_length():
    matrix = affine(2 * TURN, (3000, 4000, 0))
    turned, moved = matrix.copy(), matrix.copy()
    turned[0, 1] += 2e-3
    moved[0, 3] += 0.5
    assert disagreement(matrix, matrix) == 0
    assert disagreement(turned, matrix) == pytest.approx(1e-3)
    assert disagreement(moved, matrix) == pytest.approx(1e-4)
