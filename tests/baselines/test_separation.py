"""Separation is found exactly: by brute force over directions in the plane, and by scikit-learn's hard margin."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.svm import LinearSVC

from keras_radtl.baselines.separation import Separation, find_separation, without_separation

LINE = np.array([[-2.0], [-1], [0], [1], [2]])


@pytest.mark.parametrize(
    ("targets", "kind", "cases"),
    [
        ([0, 0, 0, 1, 1], "complete", 5),
        ([1, 0, 0, 0, 0], "complete", 5),
        ([0, 1, 0, 1, 1], "none", 0),
        ([1, 0, 0, 0, 1], "none", 0),
    ],
)
def test_points_on_a_line(targets, kind, cases):
    signs = np.where(np.array(targets) == 1, 1, -1)
    assert find_separation(LINE, signs) == Separation(kind, cases, "linear program")


def test_points_on_both_sides_of_a_value_that_both_classes_have():
    features = np.array([[-1.0], [0], [0], [1]])
    assert find_separation(features, np.array([-1, -1, 1, 1])) == ("quasi-complete", 2, "linear program")


def separable_in_the_plane(points, signs):
    """Return whether some direction leaves no case on the wrong side and not all on the line, by trying all of them.

    Directions are normal to the lines through two points, or a little beside them.
    """
    separable = False
    for i in range(len(points)):
        for j in range(i):
            along = points[i] - points[j]
            for beside in (-1e-6, 0, 1e-6):
                angle = np.arctan2(along[1], along[0]) + np.pi / 2 + beside
                heights = points @ [np.cos(angle), np.sin(angle)]
                for side in (signs, -signs):
                    low, high = heights[side > 0].min(), heights[side < 0].max()
                    separable |= bool(low >= high - 1e-12)
    return separable


def test_the_linear_program_agrees_with_all_directions_of_the_plane():
    generator = np.random.default_rng(0)
    kinds = set()
    for _ in range(60):
        points = generator.integers(-2, 3, (7, 2)) * 1.0  # small integers, so that points coincide and align
        signs = generator.choice([-1, 1], 7)
        if abs(signs.sum()) == 7 or np.linalg.matrix_rank(points - points.mean(0)) < 2:
            continue
        kind = find_separation(points, signs).kind
        kinds.add(kind)
        assert (kind != "none") == separable_in_the_plane(points, signs)
    assert kinds == {"complete", "quasi-complete", "none"}


@pytest.mark.parametrize("width", [5, 10, 20])
def test_the_linear_program_agrees_with_a_support_vector_machine(width):
    generator = np.random.default_rng(width)
    features, signs = generator.normal(size=(25, width)), np.where(np.arange(25) < 12, 1, -1)
    machine = LinearSVC(C=1e6, max_iter=1_000_000).fit(features, signs)
    assert (find_separation(features, signs).kind == "complete") == (machine.score(features, signs) == 1)


def test_residuals_prove_that_there_is_no_separation():
    generator = np.random.default_rng(0)
    basis, _ = np.linalg.qr(generator.normal(size=(40, 3)) - 0)
    basis -= basis.mean(0)
    basis, _ = np.linalg.qr(basis)
    signs = generator.choice([-1.0, 1.0], 40)
    from keras_radtl.baselines.logistic import maximize_likelihood

    solution, intercept, converged = maximize_likelihood(basis, signs)
    residuals = 1 / (1 + np.exp(signs * (basis @ solution + intercept)))
    assert converged and without_separation(basis, signs, residuals)
    assert find_separation(basis, signs).kind == "none"
    assert not without_separation(basis, signs, np.full(40, 0.5))  # not a maximum
