"""Measure how often the 95 % intervals of the metrics contain the true value, and how often the tests reject wrongly.

    python benchmarks/coverage.py
    python benchmarks/coverage.py --rounds 400 --json coverage.json

A patient's images share a label (positive with probability 0.5) and a random effect that makes up half of the variance
of the score; probabilities are calibrated. Each round draws new patients and computes the metrics as `fit` does. True
values are integrals over the two normal distributions of the score. For the tests, three models of equal accuracy share
half of their variance; rejections at the level 0.05 are counted.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import numpy as np
from scipy.special import expit, ndtr
from scipy.stats import norm

from keras_radtl.metrics.classification import METRICS, classification_metrics
from keras_radtl.stats.model_comparison import compare_scores

TABLES = ((20, 3, 0.80), (60, 3, 0.80), (20, 3, 0.98), (60, 1, 0.80))  # patients, images per patient, true AUC
TESTS = ((40, 3), (40, 10), (40, 1))  # patients, images per patient
SHARE = 0.5  # of the variance of the score that lies between patients


def draw(generator: np.random.Generator, patients: int, images: int, distance: float, models: int = 1):
    """Return labels, patients, and scores of shape (models, n); the means of the classes are `distance` apart."""
    positive = np.zeros(0)
    while not 2 <= positive.sum() <= patients - 2:
        positive = generator.random(patients) < 0.5
    groups = np.repeat(np.arange(patients), images)
    between, within = (_noise(generator, models, count) for count in (patients, len(groups)))
    labels = positive[groups].astype(int)
    noise = np.sqrt(SHARE) * between[:, groups] + np.sqrt(1 - SHARE) * within
    return labels, groups, noise + distance * (labels - 0.5)


def _noise(generator: np.random.Generator, models: int, count: int) -> np.ndarray:
    """Return standard normal values of shape (models, count), with correlation 0.5 between models."""
    return np.sqrt(0.5) * (generator.normal(size=(models, count)) + generator.normal(size=count))


def true_values(distance: float) -> dict[str, float]:
    """Integrate the metrics over the scores of both classes, which are N(-distance / 2, 1) and N(distance / 2, 1)."""
    score = np.linspace(-distance / 2 - 9, distance / 2 + 9, 200_001)
    step = score[1] - score[0]
    density = [norm.pdf(score, centre) for centre in (-distance / 2, distance / 2)]
    probability = expit(distance * score)
    recall, false = ndtr(distance / 2 - score), ndtr(-distance / 2 - score)
    right = float(ndtr(distance / 2))
    by_class = [probability, 1 - probability]  # distance of the probability from the label
    squares = [np.sum(error**2 * part) * step for error, part in zip(by_class, density, strict=True)]
    logs = [np.sum(-np.log1p(-error) * part) * step for error, part in zip(by_class, density, strict=True)]
    precision = recall / (recall + false)
    return {
        "auc": float(ndtr(distance / np.sqrt(2))),
        **dict.fromkeys(("accuracy", "f1", "sensitivity", "specificity", "balanced_accuracy"), right),
        "average_precision": float(np.sum(precision * density[1]) * step),
        "brier": float(np.mean(squares)),
        "log_loss": float(np.mean(logs)),
    }


def coverage(patients: int, images: int, auc: float, rounds: int, seed: int) -> dict[str, float]:
    """Return the share of rounds in which the interval of each metric contains the true value.

    A round without an interval counts as a miss.
    """
    distance = np.sqrt(2) * norm.ppf(auc)
    truth, covered = true_values(distance), dict.fromkeys(METRICS, 0)
    for number in range(rounds):
        labels, groups, scores = draw(
            np.random.default_rng((seed, patients, images, round(100 * auc), number)), patients, images, distance
        )
        present = expit(distance * scores[0])
        found = classification_metrics(labels, np.stack([1 - present, present], 1), ("no", "yes"), groups, seed=number)
        for name, metric in found.items():
            covered[name] += metric.ci_low is not None and metric.ci_low <= truth[name] <= metric.ci_high
    return {name: count / rounds for name, count in covered.items()}


def rejections(patients: int, images: int, rounds: int, seed: int) -> dict[str, float]:
    """Return the share of rounds in which each test rejects at 0.05 although three models are equally good."""
    counts: dict[str, int] = {}
    for number in range(rounds):
        labels, groups, scores = draw(
            np.random.default_rng((seed, patients, images, number)), patients, images, 1.2, models=3
        )
        named = dict(zip("abc", scores, strict=True))
        for kind, given in (("plain", None), ("clustered", groups)):
            for method in ("chi2", "corrected", "exact"):
                found = compare_scores(labels, named, given, threshold=0.0, mcnemar_method=method)
                key = f"McNemar, {method}, {kind}"
                counts[key] = counts.get(key, 0) + (found.pairs[0].mcnemar_p < 0.05)
            joint = found.global_test.p if found.global_test else 1.0
            each = {"DeLong": found.pairs[0].p, "DeLong, joint": joint, "Cochran": found.cochran.p}
            for name, p in each.items():
                counts[f"{name}, {kind}"] = counts.get(f"{name}, {kind}", 0) + (p is not None and p < 0.05)
    return {name: count / rounds for name, count in counts.items()}


def show(title: str, columns: dict[str, dict[str, float]]) -> None:
    """Print shares, one column per simulation."""
    print(f"\n{title}\n{'':28}" + "".join(f"{name:>18}" for name in columns))
    for row in next(iter(columns.values())):
        print(f"{row:28}" + "".join(f"{found[row]:18.3f}" for found in columns.values()))


def main() -> None:
    """Print the coverage of every metric and the rejections of every test."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2000, help="simulated data sets per column")
    parser.add_argument("--seed", type=int, default=0, help="random seed")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    arguments = parser.parse_args()
    rounds, seed = arguments.rounds, arguments.seed
    print(f"{rounds} rounds; Monte-Carlo standard error {np.sqrt(0.95 * 0.05 / rounds):.3f}")
    covered = {f"{p} x {i}, AUC {a:.2f}": coverage(p, i, a, rounds, seed) for p, i, a in TABLES}
    show("Coverage of 95 % intervals, patients x images", covered)
    rejected = {f"{p} x {i}": rejections(p, i, rounds, seed) for p, i in TESTS}
    show("Rejections at level 0.05 without a difference, patients x images", rejected)
    if arguments.json:
        results = {"rounds": rounds, "coverage": covered, "rejections": rejected}
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
