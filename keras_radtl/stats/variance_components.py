"""Products with the inverse covariance of a linear mixed model with crossed random intercepts, and their derivatives.

The model is y = X b + Z_1 u_1 + ... + Z_K u_K + e with u_k ~ N(0, theta_k^2 sigma^2 I) and e ~ N(0, sigma^2 I). Let
phi_k = theta_k^2, V = I + sum_k phi_k Z_k Z_k' and W = V^-1. All results are computed from cross-products, which take
one pass over the rows; the cost of every later step is independent of the number of rows. The factor with the most
levels has a diagonal block in Z'Z and is eliminated in closed form. The remaining system is dense; its size is the
number of levels of the other factors.

First and second derivatives in phi are exact; they follow from dW/dphi_k = -W Z_k Z_k' W.

Reference: Bates, Maechler, Bolker, Walker (2015), Fitting Linear Mixed-Effects Models Using lme4, J. Stat. Softw.
67(1), section 3; Searle, Casella, McCulloch (1992), Variance Components, chapter 6.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np

if TYPE_CHECKING:
    from scipy.sparse import csr_matrix

SPARSE_BELOW = 0.03  # store a cross-table as a sparse matrix if its share of nonzero entries is below this
LARGEST_DENSE_BLOCK = 8000  # maximum number of levels of all factors except the largest: a matrix of 0.5 GB


Matrix: TypeAlias = "np.ndarray | csr_matrix"


@dataclass(frozen=True)
class CrossProducts:
    """Cross-products of the data, which determine the likelihood; S = [X, y].

    Attributes:
        rows: number of rows n.
        eliminated: index of the factor with the most levels, with indicator matrix Z1.
        counts: float64 array of shape (levels,), number of rows of each level of that factor.
        table: float64 matrix of shape (levels, rest), Z1'Z of the other factors; sparse if most entries are zero.
        moments: float64 array of shape (levels, p + 1), Z1'S.
        rest: float64 array of shape (rest, rest), Z'Z of the other factors.
        rest_moments: float64 array of shape (rest, p + 1), Z'S of the other factors.
        fixed: float64 array of shape (p + 1, p + 1), S'S.
        blocks: slice of `rest` for each factor; None for the eliminated factor.
    """

    rows: int
    eliminated: int
    counts: np.ndarray
    table: Matrix
    moments: np.ndarray
    rest: np.ndarray
    rest_moments: np.ndarray
    fixed: np.ndarray
    blocks: tuple[slice | None, ...]


def cross_products(codes: list[np.ndarray], moments_of: np.ndarray) -> CrossProducts:
    """Compute the cross-products of the data.

    Args:
        codes: one int array of shape (n,) per random factor; levels are numbered from 0 without gaps.
        moments_of: float64 array of shape (n, p + 1), the columns of X followed by y.

    Returns:
        A `CrossProducts`.

    Raises:
        ValueError: if the factors except the largest have too many levels for a dense matrix.
    """
    from scipy import sparse

    rows = len(moments_of)
    levels = [int(code.max()) + 1 for code in codes]
    eliminated = int(np.argmax(levels))
    others = [k for k in range(len(codes)) if k != eliminated]
    starts = np.concatenate(([0], np.cumsum([levels[k] for k in others]))).astype(int)
    if starts[-1] > LARGEST_DENSE_BLOCK:
        raise ValueError(
            f"random factors except the largest must have at most {LARGEST_DENSE_BLOCK} levels in total. "
            f"Received: {starts[-1]} levels"
        )
    blocks: list[slice | None] = [None] * len(codes)
    for position, k in enumerate(others):
        blocks[k] = slice(int(starts[position]), int(starts[position + 1]))
    ones = np.ones(rows)
    largest = sparse.csr_matrix((ones, (codes[eliminated], np.arange(rows))), shape=(levels[eliminated], rows))
    columns = [codes[k] + start for k, start in zip(others, starts[:-1], strict=True)]
    row_numbers = np.tile(np.arange(rows), len(others))
    column_numbers = np.concatenate(columns) if others else np.zeros(0, dtype=int)
    rest = sparse.csr_matrix((np.ones(len(column_numbers)), (row_numbers, column_numbers)), shape=(rows, starts[-1]))
    table = (largest @ rest).tocsr()
    return CrossProducts(
        rows=rows,
        eliminated=eliminated,
        counts=np.bincount(codes[eliminated], minlength=levels[eliminated]).astype(float),
        table=table if table.nnz < SPARSE_BELOW * np.prod(table.shape) else table.toarray(),
        moments=largest @ moments_of,
        rest=(rest.T @ rest).toarray(),
        rest_moments=np.asarray(rest.T @ moments_of),
        fixed=moments_of.T @ moments_of,
        blocks=tuple(blocks),
    )


@dataclass(frozen=True)
class Weighted:
    """Products with W at one phi.

    Attributes:
        log_determinant: log |V|.
        gram: float64 array of shape (p + 1, p + 1), S'WS.
        random: one float64 array of shape (levels, p + 1) per factor, Z_k'WS.
        scale: float64 array of shape (rest,), theta of each level of the factors that are not eliminated; L is
            diag(scale).
        rest: H = Z'W1 Z for these factors, with W1 = (I + phi_1 Z1 Z1')^-1.
        factor: lower Cholesky factor of M = I + L H L.
        eliminated_rest: Z1'W1 Z, sparse if the cross-table is sparse.
        eliminated_diagonal: diagonal of Z1'W1 Z1.
    """

    log_determinant: float
    gram: np.ndarray
    random: tuple[np.ndarray, ...]
    scale: np.ndarray
    rest: np.ndarray
    factor: np.ndarray
    eliminated_rest: Matrix
    eliminated_diagonal: np.ndarray


def weigh(cross: CrossProducts, phi: np.ndarray) -> Weighted:
    """Compute products with W = V^-1 at `phi`, the squared relative standard deviations, shape (K,), all >= 0."""
    largest_phi = phi[cross.eliminated]
    shrink = 1 / (1 + largest_phi * cross.counts)
    weight = largest_phi * shrink
    table, moments = cross.table, cross.moments
    scaled_table = _scale_rows(table, shrink)
    weighted_table = _scale_rows(table, weight)
    rest = cross.rest - _product(table, weighted_table)
    rest_moments = cross.rest_moments - weighted_table.T @ moments
    gram = cross.fixed - (moments * weight[:, None]).T @ moments
    scale = np.empty(len(rest))
    for block, value in zip(cross.blocks, phi, strict=True):
        if block is not None:
            scale[block] = np.sqrt(value)
    factor = np.linalg.cholesky(np.eye(len(rest)) + scale[:, None] * rest * scale)
    half = _solve(factor, scale[:, None] * rest_moments)
    spherical = _solve(factor, half, transposed=True)
    solved = scale[:, None] * spherical
    # Z'WS = L^-1 M^-1 L Z'W1 S is accurate for any theta > 0; the difference of two terms is needed at theta = 0 only.
    rest_weighted = np.where(
        scale[:, None] > 0, spherical / np.where(scale > 0, scale, 1)[:, None], rest_moments - rest @ solved
    )
    eliminated_weighted = shrink[:, None] * moments - scaled_table @ solved
    return Weighted(
        log_determinant=-np.log(shrink).sum() + 2 * np.log(np.diag(factor)).sum(),
        gram=gram - half.T @ half,
        random=tuple(eliminated_weighted if block is None else rest_weighted[block] for block in cross.blocks),
        scale=scale,
        rest=rest,
        factor=factor,
        eliminated_rest=scaled_table,
        eliminated_diagonal=cross.counts * shrink,
    )


def _scale_rows(matrix: Matrix, weights: np.ndarray) -> Matrix:
    """Multiply row i of a dense or CSR matrix by `weights[i]`."""
    if isinstance(matrix, np.ndarray):
        return matrix * weights[:, None]
    scaled = matrix.copy()
    scaled.data = matrix.data * np.repeat(weights, np.diff(matrix.indptr))
    return scaled


def _product(left: Matrix, right: Matrix) -> np.ndarray:
    """Return left' right as a dense array."""
    product = left.T @ right
    return product if isinstance(product, np.ndarray) else product.toarray()


def _solve(lower: np.ndarray, right: np.ndarray, transposed: bool = False) -> np.ndarray:
    """Solve lower x = right or, if `transposed`, lower' x = right; the triangular matrix may be empty."""
    from scipy.linalg import solve_triangular

    if not len(lower):
        return right
    return solve_triangular(lower, right, trans=int(transposed), lower=True, check_finite=False)


@dataclass(frozen=True)
class Expansion:
    """Gradient and Hessian in phi of log |V| and of S'WS, for K factors.

    Attributes:
        log_determinant_gradient: float64 array of shape (K,).
        log_determinant_hessian: float64 array of shape (K, K).
        gram_gradient: float64 array of shape (K, p + 1, p + 1).
        gram_hessian: float64 array of shape (K, K, p + 1, p + 1).
    """

    log_determinant_gradient: np.ndarray
    log_determinant_hessian: np.ndarray
    gram_gradient: np.ndarray
    gram_hessian: np.ndarray


def expand(cross: CrossProducts, weighted: Weighted) -> Expansion:
    """Differentiate log |V| and S'WS twice in phi.

    Let C_kl = Z_k'WZ_l and B_k = Z_k'WS. The gradient of log |V| is tr C_kk and its Hessian -||C_kl||^2 (Frobenius
    norm); the gradient of S'WS is -B_k'B_k and its Hessian is B_k'C_kl B_l plus its transpose.
    """
    factors, size = len(cross.blocks), len(cross.fixed)
    traces, norms = np.empty(factors), np.empty((factors, factors))
    bilinear = np.empty((factors, factors, size, size))
    inverse = _inverse(weighted.factor)
    remaining, covariance = _rest_products(weighted, inverse)
    random = weighted.random
    for k, block in enumerate(cross.blocks):
        if block is None:
            continue
        traces[k] = np.trace(covariance[block, block])
        for other, other_block in enumerate(cross.blocks):
            if other_block is not None:
                part = covariance[block, other_block]
                norms[k, other] = np.vdot(part, part)
                bilinear[k, other] = random[k].T @ (part @ random[other])
    _expand_eliminated(cross, weighted, inverse, remaining, traces, norms, bilinear)
    return Expansion(
        log_determinant_gradient=traces,
        log_determinant_hessian=-norms,
        gram_gradient=-np.stack([moments.T @ moments for moments in random]),
        gram_hessian=bilinear + np.swapaxes(bilinear, 2, 3),
    )


def _rest_products(weighted: Weighted, inverse: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return I - N H and C = H - H N H with N = L M^-1 L, for the factors that are not eliminated."""
    scale, rest = weighted.scale, weighted.rest
    positive = scale > 0
    divisor = np.where(positive, scale, 1)
    solved = _solve(weighted.factor, _solve(weighted.factor, scale[:, None] * rest), transposed=True)  # M^-1 L H
    remaining = np.where(positive, scale[:, None] * inverse / divisor, np.eye(len(scale)) - scale[:, None] * solved)
    covariance = solved / divisor[:, None]
    covariance[~positive] = rest[~positive] @ remaining
    return remaining, covariance


def _inverse(factor: np.ndarray) -> np.ndarray:
    """Return M^-1, given the lower Cholesky factor of M."""
    root = _solve(factor, np.eye(len(factor)))
    return root.T @ root


def _expand_eliminated(
    cross: CrossProducts,
    weighted: Weighted,
    inverse: np.ndarray,
    remaining: np.ndarray,
    traces: np.ndarray,
    norms: np.ndarray,
    bilinear: np.ndarray,
) -> None:
    """Fill in the entries of the eliminated factor without a square matrix of the size of its number of levels."""
    e, table, diagonal = cross.eliminated, weighted.eliminated_rest, weighted.eliminated_diagonal
    moments = weighted.random[cross.eliminated]
    inner = weighted.scale[:, None] * inverse * weighted.scale  # N
    square = _product(table, table)
    inner_square = inner @ square
    projected = table.T @ moments
    traces[e] = diagonal.sum() - np.trace(inner_square)
    spread = _product(table, _scale_rows(table, diagonal))
    norms[e, e] = diagonal @ diagonal - 2 * np.vdot(inner, spread) + np.vdot(inner_square.T, inner_square)
    bilinear[e, e] = moments.T @ (diagonal[:, None] * moments) - projected.T @ inner @ projected
    columns = np.einsum("ij,ij->j", remaining, square @ remaining)
    for k, block in enumerate(cross.blocks):
        if block is not None:
            norms[e, k] = norms[k, e] = columns[block].sum()
            bilinear[e, k] = projected.T @ (remaining[:, block] @ weighted.random[k])
            bilinear[k, e] = bilinear[e, k].T
