"""Standardized pixels have mean 0 and standard deviation 1; constant pixels and bad values are handled."""

from __future__ import annotations

import numpy as np
import pytest

from keras_radtl.baselines import standardization
from keras_radtl.baselines.standardization import fit_standardization
from keras_radtl.config.errors import UserError

IMAGES = np.random.default_rng(0).integers(0, 256, (150, 6, 5), np.uint8)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64])
def test_training_cases_have_mean_zero_and_deviation_one(dtype):
    standard = fit_standardization(IMAGES.astype(dtype))
    flat = IMAGES.reshape(150, 30).astype(np.float64)
    np.testing.assert_allclose(standard.mean, flat.mean(0))
    np.testing.assert_allclose(standard.scale, flat.std(0))
    matrix = standard.transform(IMAGES)
    assert matrix.dtype == np.float32 and matrix.flags.c_contiguous and matrix.shape == (150, 30)
    np.testing.assert_allclose(matrix, (flat - flat.mean(0)) / flat.std(0), atol=1e-6)


def test_other_cases_use_the_mean_and_scale_of_the_training_cases():
    standard = fit_standardization(IMAGES[:100])
    expected = (IMAGES[100:].reshape(50, 30) - standard.mean) / standard.scale
    np.testing.assert_allclose(standard.transform(IMAGES[100:]), expected, atol=1e-6)


@pytest.mark.parametrize("value", [0, 7, 0.1])
def test_a_constant_pixel_is_zero_and_named(value):
    images = IMAGES.astype(np.float32)
    images[:, 2, 3] = value
    standard = fit_standardization(images)
    assert np.flatnonzero(standard.constant).tolist() == [13] and standard.scale[13] == 1
    np.testing.assert_allclose(standard.transform(images)[:, 13], 0, atol=1e-7)


def test_images_that_are_all_equal_are_refused():
    with pytest.raises(UserError, match="Every pixel is constant over the 5 cases"):
        fit_standardization(np.ones((5, 4, 4), np.uint8))


def test_values_that_are_not_finite_are_refused():
    images = IMAGES.astype(np.float32)
    images[3, 0, 0] = np.inf
    with pytest.raises(UserError, match="`pixels` must be finite. Received: 1 pixels"):
        fit_standardization(images)


def test_another_size_is_refused():
    with pytest.raises(UserError, match="`pixels` must be 30 values per case. Received: pixels=25"):
        fit_standardization(IMAGES).transform(IMAGES[:, :5])


def test_a_matrix_beyond_the_memory_is_refused_with_the_numbers(monkeypatch):
    standard = fit_standardization(IMAGES)
    monkeypatch.setattr(standardization, "available_memory", lambda: 10_000)
    with pytest.raises(UserError, match=r"150 cases x 30 features needs 0.0 GB, and 0.0 GB are available"):
        standard.transform(IMAGES)
