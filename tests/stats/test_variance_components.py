"""Products with the inverse covariance of a mixed model against dense matrices and finite differences."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import sparse

from keras_radtl.stats import variance_components
from keras_radtl.stats.variance_components import cross_products, expand, weigh

LEVELS = {"one factor": (7,), "two factors": (4, 9), "three factors": (6, 3, 12), "equal sizes": (5, 5)}
PHI = {"inside": (0.7, 0.2, 3.0), "zero": (0.5, 0.0, 0.9), "all zero": (0.0, 0.0, 0.0), "large": (1e6, 0.3, 1e4)}


@pytest.fixture(params=LEVELS.values(), ids=LEVELS)
def data(request):
    """Return factor codes, S = [X, y] and the indicator matrices."""
    generator = np.random.default_rng(len(request.param))
    codes = [
        generator.permutation(np.append(np.arange(levels), generator.integers(0, levels, 40 - levels)))
        for levels in request.param
    ]
    moments = np.column_stack([np.ones(40), generator.normal(size=(40, 2))])
    return codes, moments, [np.eye(levels)[code] for levels, code in zip(request.param, codes, strict=True)]


def dense(indicators, moments, phi):
    """Return log |V|, S'WS, Z_k'WS and Z_k'WZ_l from the full covariance matrix."""
    covariance = np.eye(len(moments)) + sum(p * z @ z.T for p, z in zip(phi, indicators, strict=True))
    inverse = np.linalg.inv(covariance)
    products = [[z.T @ inverse @ other for other in indicators] for z in indicators]
    random = [z.T @ inverse @ moments for z in indicators]
    return np.linalg.slogdet(covariance)[1], moments.T @ inverse @ moments, random, products


@pytest.mark.parametrize("phi", PHI.values(), ids=PHI)
def test_products_match_dense_matrices(data, phi):
    codes, moments, indicators = data
    phi = np.array(phi[: len(codes)])
    log_determinant, gram, random, _ = dense(indicators, moments, phi)
    found = weigh(cross_products(codes, moments), phi)
    assert found.log_determinant == pytest.approx(log_determinant, rel=1e-9, abs=1e-12)
    np.testing.assert_allclose(found.gram, gram, rtol=1e-7, atol=1e-8)
    for ours, theirs in zip(found.random, random, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-8)


@pytest.mark.parametrize("phi", [PHI["inside"], PHI["zero"]], ids=["inside", "zero"])
def test_derivatives_match_their_dense_formulas(data, phi):
    codes, moments, indicators = data
    phi = np.array(phi[: len(codes)])
    _, _, random, products = dense(indicators, moments, phi)
    cross = cross_products(codes, moments)
    found = expand(cross, weigh(cross, phi))
    for k, z_k in enumerate(random):
        assert found.log_determinant_gradient[k] == pytest.approx(np.trace(products[k][k]), rel=1e-10)
        np.testing.assert_allclose(found.gram_gradient[k], -z_k.T @ z_k, atol=1e-10)
        for other, z_l in enumerate(random):
            assert found.log_determinant_hessian[k, other] == pytest.approx(-np.sum(products[k][other] ** 2), rel=1e-9)
            half = z_k.T @ products[k][other] @ z_l
            np.testing.assert_allclose(found.gram_hessian[k, other], half + half.T, atol=1e-9)


def test_derivatives_match_finite_differences(data):
    codes, moments, _ = data
    cross, phi, step = cross_products(codes, moments), np.array(PHI["inside"][: len(codes)]), 1e-5
    found = expand(cross, weigh(cross, phi))
    for k in range(len(phi)):
        shift = step * (np.arange(len(phi)) == k)
        above, below = weigh(cross, phi + shift), weigh(cross, phi - shift)
        slope = (above.log_determinant - below.log_determinant) / (2 * step)
        assert found.log_determinant_gradient[k] == pytest.approx(slope, rel=1e-6)
        np.testing.assert_allclose(found.gram_gradient[k], (above.gram - below.gram) / (2 * step), atol=1e-5)
        above, below = expand(cross, above), expand(cross, below)
        slope = (above.gram_gradient - below.gram_gradient) / (2 * step)
        np.testing.assert_allclose(found.gram_hessian[k], slope, atol=1e-5)


def test_sparse_and_dense_cross_tables_give_the_same_products(data, monkeypatch):
    codes, moments, _ = data
    phi = np.array(PHI["inside"][: len(codes)])
    found = []
    for limit in (0.0, 1.1):
        monkeypatch.setattr(variance_components, "SPARSE_BELOW", limit)
        cross = cross_products(codes, moments)
        found.append((cross, weigh(cross, phi)))
    (dense_cross, dense_weighted), (sparse_cross, sparse_weighted) = found
    assert isinstance(dense_cross.table, np.ndarray)
    assert len(codes) == 1 or sparse.issparse(sparse_cross.table)
    np.testing.assert_allclose(sparse_weighted.gram, dense_weighted.gram, rtol=1e-12)
    ours, theirs = expand(sparse_cross, sparse_weighted), expand(dense_cross, dense_weighted)
    np.testing.assert_allclose(ours.gram_hessian, theirs.gram_hessian, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(ours.log_determinant_hessian, theirs.log_determinant_hessian, rtol=1e-9)


def test_too_many_levels_for_a_dense_matrix_raise(monkeypatch):
    monkeypatch.setattr(variance_components, "LARGEST_DENSE_BLOCK", 5)
    codes = [np.arange(20) % 10, np.arange(20) % 6]
    with pytest.raises(ValueError, match="at most 5 levels in total. Received: 6 levels"):
        cross_products(codes, np.ones((20, 2)))
