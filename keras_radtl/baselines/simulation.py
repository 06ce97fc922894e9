"""Monte Carlo simulation: does maximum likelihood recover the coefficients of a logistic regression on pixels?

Appendix A of the mammography study: in each round, draw images with independent pixels, uniform on [0, 255]; draw
outcomes from a logistic regression with fixed coefficients in the shape of a digit; fit it by maximum likelihood. The
mean absolute difference (MAD) of true and estimated coefficients is computed per round, and its mean (MMAD) and
standard deviation (SMAD) over rounds.

The study does not give the scale of the pixels. Here they are standardized with mean and standard deviation of the
uniform distribution, as in the rest of the study: with raw pixels, coefficients of its mean magnitude (0.048) would
give probabilities of 0 and 1 only.

In a round with n images and p pixels, the estimates are biased away from 0 since p / n is not small: Sur and Candes,
PNAS 116 (2019) 14516-14525.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.special import expit

from keras_radtl.baselines.logistic import maximize_likelihood
from keras_radtl.config.errors import UserError, require

STUDY_MAGNITUDE = 0.048  # mean magnitude of the study's coefficients
STUDY_MMAD, STUDY_SMAD = 0.036, 0.005  # as published
_MEAN, _DEVIATION = 127.5, 255 / np.sqrt(12)  # of a pixel


@dataclass(frozen=True)
class Simulation:
    """The result of all rounds.

    Attributes:
        true: float64 array of shape (p,), the coefficients from which outcomes were drawn.
        mean_estimate: float64 array of shape (p,), mean over rounds.
        differences: float64 array of shape (rounds,), the MAD of each round.
        mmad: Their mean.
        smad: Their standard deviation, divisor rounds - 1.
        magnitude: Mean magnitude of the true coefficients.
        slope: Least-squares slope of the mean estimate on the true coefficients; above 1 if estimates are too large.
        images: Images per round.
        seed: The seed.
    """

    true: np.ndarray
    mean_estimate: np.ndarray
    differences: np.ndarray
    mmad: float
    smad: float
    magnitude: float
    slope: float
    images: int
    seed: int


def digit_coefficients(digit: int = 0, size: int = 28, magnitude: float = STUDY_MAGNITUDE) -> np.ndarray:
    """Return coefficients in the shape of a handwritten digit: 0 outside, positive on its strokes.

    Args:
        digit: 0 to 9; the first image of that digit in scikit-learn's data set `digits`, enlarged.
        size: Height and width in pixels.
        magnitude: Mean magnitude over all pixels.

    Returns:
        float64 array of shape (size * size,).
    """
    import cv2
    from sklearn.datasets import load_digits

    require(digit in range(10), "digit", "an integer from 0 to 9", digit)
    require(size >= 8, "size", "at least 8", size)
    data = load_digits()
    image = data.images[data.target == digit][0]
    shape = cv2.resize(image, (size, size), interpolation=cv2.INTER_CUBIC).clip(0).ravel()
    return shape * (magnitude / shape.mean())


def simulate(
    coefficients: np.ndarray | None = None,
    images: int = 14_000,
    rounds: int = 100,
    seed: int = 0,
    workers: int | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Simulation:
    """Run the simulation in parallel processes of one thread each.

    The result depends on the arguments and the seed, not on the number of workers.

    Args:
        coefficients: True coefficients per standard deviation of a pixel, shape (p,); None for `digit_coefficients()`.
        images: Images per round.
        rounds: Number of rounds, at least 2.
        seed: Seed; each round has its own generator.
        workers: Processes; None means one per processor.
        progress: Called with (rounds done, rounds in total).

    Returns:
        The `Simulation`.

    Raises:
        UserError: If an argument is out of range, or the likelihood of a round has no maximum.
    """
    from joblib import Parallel, delayed

    true = digit_coefficients() if coefficients is None else np.asarray(coefficients, np.float64)
    require(true.ndim == 1 and len(true) > 0, "coefficients", "an array of shape (p,)", true.shape)
    require(rounds >= 2, "rounds", "at least 2", rounds)
    require(images > len(true) + 1, "images", f"more than {len(true) + 1}, the number of coefficients", images)
    require(workers is None or workers >= 1, "workers", "at least 1", workers)
    jobs = (delayed(estimate_once)(true, images, (seed, number)) for number in range(rounds))
    total, differences = np.zeros(len(true)), np.empty(rounds)
    parallel = Parallel(n_jobs=min(workers or os.cpu_count() or 1, rounds), return_as="generator")
    for number, estimate in enumerate(parallel(jobs)):
        total += estimate
        differences[number] = np.abs(estimate - true).mean()
        if progress is not None:
            progress(number + 1, rounds)
    mean = total / rounds
    return Simulation(
        true=true,
        mean_estimate=mean,
        differences=differences,
        mmad=float(differences.mean()),
        smad=float(differences.std(ddof=1)),
        magnitude=float(np.abs(true).mean()),
        slope=float(mean @ true / (true @ true)),
        images=images,
        seed=seed,
    )


def estimate_once(true: np.ndarray, images: int, seed: tuple[int, ...]) -> np.ndarray:
    """Draw one data set and return the maximum-likelihood coefficients, shape (p,).

    Raises:
        UserError: If no maximum was found.
    """
    from threadpoolctl import threadpool_limits

    generator = np.random.default_rng(seed)
    with threadpool_limits(1):
        features = (generator.uniform(0, 255, (images, len(true))) - _MEAN) / _DEVIATION
        outcomes = generator.random(images) < expit(features @ true)
        estimate, _, converged = maximize_likelihood(features, np.where(outcomes, 1.0, -1.0))
    if not converged:
        raise UserError(f"Round {seed[-1]}: the likelihood has no maximum. Use more `images` or smaller `coefficients`")
    return estimate
