"""Write the data sets that `mixed_model.R` fits. Run with NumPy 2 in this folder.

The data sets are part of the repository; this script documents how they were generated.
"""

from __future__ import annotations

import gzip
import itertools
from pathlib import Path

import numpy as np

FOLDER = Path(__file__).parent / "mixed_model"


def write(name: str, columns: dict, digits: int = 6) -> None:
    """Write columns as CSV, compressed if there are more than 1000 rows."""
    rows = zip(*columns.values())
    path = FOLDER / (name + (".csv.gz" if len(columns["y"]) > 1000 else ".csv"))
    # A fixed time stamp makes the compressed file reproducible.
    opened = gzip.GzipFile(path, "wb", mtime=0) if path.suffix == ".gz" else path.open("wb")
    with opened as stream:
        lines = [",".join(columns)]
        lines += [",".join(f"{v:.{digits}f}" if isinstance(v, float) else str(v) for v in row) for row in rows]
        stream.write(("\n".join(lines) + "\n").encode())


def effects(rng, codes, deviation):
    """Draw a normal effect for each level and return the effect of each row."""
    return rng.normal(0, deviation, int(np.max(codes)) + 1)[codes]


def named(prefix: str, codes) -> list[str]:
    return [f"{prefix}{code + 1}" for code in codes]


def balanced() -> None:
    rng = np.random.default_rng(11)
    reader, image, arm = (np.array(x) for x in zip(*itertools.product(range(8), range(12), range(2))))
    y = 1 + 0.4 * arm + effects(rng, reader, 0.7) + effects(rng, image, 1.1) + rng.normal(0, 0.6, len(arm))
    columns = {"reader": named("r", reader), "image": named("i", image), "arm": [("before", "after")[a] for a in arm]}
    write("balanced", {"y": y.tolist(), **columns})


def unbalanced() -> None:
    rng = np.random.default_rng(12)
    n = 240
    site = rng.choice(9, n, p=np.arange(1, 10) / 45)
    scanner = rng.choice(5, n, p=(0.5, 0.25, 0.15, 0.07, 0.03))
    age = rng.normal(60, 12, n).round(1)
    dose = rng.choice(3, n, p=(0.6, 0.3, 0.1))
    y = 20 + 0.05 * age + np.array((0, 0.8, -1))[dose] + effects(rng, site, 1.5) + effects(rng, scanner, 0.5)
    y = y + rng.normal(0, 1.2, n)
    columns = {"site": named("s", site), "scanner": named("c", scanner)}
    write(
        "unbalanced",
        {"y": y.tolist(), **columns, "age": age.tolist(), "dose": [("low", "mid", "high")[d] for d in dose]},
    )


def zero_variance() -> None:
    rng = np.random.default_rng(13)
    n = 120
    batch, day = rng.integers(0, 6, n), rng.integers(0, 10, n)
    method = rng.integers(0, 3, n)
    noise = rng.normal(0, 1, n)
    for level in range(10):  # alternate days lose their mean: less spread between days than noise alone would give
        noise[day == level] -= noise[day == level].mean()
    y = 5 + np.array((0, 0.3, 0.6))[method] + effects(rng, batch, 0.8) + noise
    write(
        "zero_variance",
        {"y": y.tolist(), "batch": named("b", batch), "day": named("d", day), "method": named("m", method)},
    )


def all_zero() -> None:
    rng = np.random.default_rng(14)
    group = np.repeat(np.arange(8), 6)
    noise = rng.normal(0, 1, 48)
    noise -= np.repeat(noise.reshape(8, 6).mean(1), 6)
    write(
        "all_zero",
        {"y": (3 + noise).tolist(), "group": named("g", group), "arm": named("a", np.tile(np.arange(2), 24))},
    )


def two_levels() -> None:
    rng = np.random.default_rng(15)
    n = 90
    task, backbone, head = rng.integers(0, 2, n), rng.integers(0, 4, n), rng.integers(0, 3, n)
    y = 0.8 + np.array((0, 0.02, -0.05))[head] + np.array((-0.04, 0.05))[task] + effects(rng, backbone, 0.03)
    y = y + rng.normal(0, 0.04, n)
    write(
        "two_levels",
        {"y": y.tolist(), "task": named("t", task), "backbone": named("k", backbone), "head": named("h", head)},
    )


def grid(name: str, seed: int) -> None:
    """Write a grid of 176 settings on two tasks, with effects of a realistic size."""
    rng = np.random.default_rng(seed)
    heads = [("Linear", "0.5", "none")]
    heads += [("NonLinear", ratio, "none") for ratio in ("0.5", "1.0")]
    heads += [(head, ratio, k) for head in ("Conv", "ConvSkip") for ratio in ("0.5", "1.0") for k in ("4", "16")]
    settings = itertools.product(
        ("acl", "breast"), ("ImageNet", "RadImageNet"), ("ResNet50", "DenseNet121"), ("cosine", "beta"), heads
    )
    rows = [(task, pretrain, backbone, decay, *head) for task, pretrain, backbone, decay, head in settings]
    effect = {"Linear": -0.31, "NonLinear": -0.038, "ConvSkip": 0.018, "acl": 0.03, "breast": -0.03}
    effect |= {"RadImageNet": 0.016, "ResNet50": 0.03, "DenseNet121": -0.03, "cosine": 0.008, "4": -0.012, "16": 0.012}
    y = [0.829 + sum(effect.get(level, 0) for level in row) + rng.normal(0, 0.056) for row in rows]
    names = ("task", "pretrain", "backbone", "lrdecay", "clf", "ratio", "numfilters")
    columns = dict(zip(names, map(list, zip(*rows))))
    write(name, {"y": [round(v, 4) for v in y], **columns}, digits=4)


def nested() -> None:
    rng = np.random.default_rng(17)
    patient = np.sort(rng.integers(0, 60, 400))
    hospital = patient // 10
    dose = rng.normal(0, 1, 400).round(3)
    y = 2 + 0.3 * dose + effects(rng, hospital, 0.4) + effects(rng, patient, 1.3) + rng.normal(0, 0.05, 400)
    write(
        "nested",
        {"y": y.tolist(), "patient": named("p", patient), "hospital": named("h", hospital), "dose": dose.tolist()},
    )


def single_factor() -> None:
    rng = np.random.default_rng(18)
    group = rng.integers(0, 12, 75)
    y = -4e5 + effects(rng, group, 2000.0) + rng.normal(0, 900.0, 75)
    write("single_factor", {"y": y.tolist(), "group": named("g", group), "arm": named("a", rng.integers(0, 2, 75))})


def large() -> None:
    rng = np.random.default_rng(19)
    n = 20000
    patient, reader, site = rng.integers(0, 900, n), rng.integers(0, 45, n), rng.integers(0, 6, n)
    model, age = rng.integers(0, 4, n), rng.normal(0, 1, n).round(2)
    y = 1 + np.array((0, 0.05, 0.1, -0.2))[model] + 0.02 * age + effects(rng, patient, 0.6) + effects(rng, reader, 0.3)
    y = y + effects(rng, site, 0.2) + rng.normal(0, 1, n)
    columns = {"patient": named("p", patient), "reader": named("r", reader), "site": named("s", site)}
    write("large", {"y": y.tolist(), **columns, "model": named("m", model), "age": age.tolist()}, digits=4)


if __name__ == "__main__":
    FOLDER.mkdir(exist_ok=True)
    for make in (balanced, unbalanced, zero_variance, all_zero, two_levels, nested, single_factor, large):
        make()
    grid("grid", seed=1)  # all variances are positive
    grid("grid_singular", seed=16)  # the variance of the learning-rate schedule is zero
