"""Standardization of pixels: mean 0 and standard deviation 1 over the training cases.

A pixel that is constant over the training cases has no standard deviation. Its scale is 1, so its column of the
training matrix is 0 and every penalized fit gives it the coefficient 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from keras_radtl.config.errors import UserError, require
from keras_radtl.models.memory import available_memory

ROWS = 64  # rows that are converted at a time
_FLOAT32 = 4  # bytes


@dataclass(frozen=True)
class Standardization:
    """Mean and scale of each pixel of the training cases.

    Attributes:
        mean: float64 array of shape (p,), in the unit of the pixels.
        scale: float64 array of shape (p,): the standard deviation (divisor n), or 1 for a constant pixel.
        constant: bool array of shape (p,): which pixels are constant.
    """

    mean: np.ndarray
    scale: np.ndarray
    constant: np.ndarray

    def transform(self, pixels: np.ndarray) -> np.ndarray:
        """Return standardized pixels as a C-contiguous float32 array of shape (n, p).

        Args:
            pixels: Array of shape (n, ...) with p values per case, such as uint8 of shape (n, height, width).

        Raises:
            UserError: If p differs from the training cases, or if the matrix needs more than the available memory.
        """
        rows = _rows(pixels)
        require(rows.shape[1] == len(self.mean), "pixels", f"{len(self.mean)} values per case", rows.shape[1])
        require_matrix_memory(*rows.shape)
        result = np.empty(rows.shape, np.float32)
        for start in range(0, len(rows), ROWS):
            result[start : start + ROWS] = (rows[start : start + ROWS] - self.mean) / self.scale
        return result


def fit_standardization(pixels: np.ndarray) -> Standardization:
    """Compute mean and standard deviation of each pixel.

    Args:
        pixels: Array of shape (n, ...) with n >= 2 training cases and finite values.

    Returns:
        The `Standardization`.

    Raises:
        UserError: If there are fewer than two cases, a value is not finite, or all pixels are constant.
    """
    rows = _rows(pixels)
    require(len(rows) >= 2, "pixels", "at least 2 cases", len(rows))
    mean = sum(_block(rows, start).sum(0) for start in range(0, len(rows), ROWS)) / len(rows)
    if not np.isfinite(mean).all():
        raise UserError(f"`pixels` must be finite. Received: {np.sum(~np.isfinite(mean))} pixels with nan or inf")
    square = sum(((_block(rows, start) - mean) ** 2).sum(0) for start in range(0, len(rows), ROWS))
    constant = (rows == rows[:1]).all(0) if rows.dtype == np.uint8 else np.ptp(rows, axis=0) == 0
    if constant.all():
        raise UserError(f"Every pixel is constant over the {len(rows)} cases; there is nothing to fit")
    return Standardization(mean, np.where(constant, 1.0, np.sqrt(square / len(rows))), constant)


def require_matrix_memory(cases: int, features: int) -> None:
    """Raise a `UserError` with the numbers if a float32 matrix needs more than the available memory."""
    needed, available = _FLOAT32 * cases * features, available_memory()
    if needed > available:
        raise UserError(
            f"The matrix of {cases} cases x {features} features needs {needed / 1e9:.1f} GB, and "
            f"{available / 1e9:.1f} GB are available. Use a smaller `image_size` or frozen features"
        )


def _rows(pixels: np.ndarray) -> np.ndarray:
    require(np.ndim(pixels) >= 2, "pixels", "an array of shape (n, ...)", np.shape(pixels))
    return pixels.reshape(len(pixels), -1)


def _block(rows: np.ndarray, start: int) -> np.ndarray:
    return rows[start : start + ROWS].astype(np.float64)
