"""Compare the default lasso solver with scikit-learn's SAGA on real pixels: time, duality gap and memory.

    python benchmarks/lasso.py ../shared/data/busi
    python benchmarks/lasso.py FOLDER --positive malignant --images 520 --json result.json

FOLDER has one folder of images per class. The images are equalized (CLAHE, clip limit 2), resized to 224 pixels and
rotated by 0, 90, 180 and 270 degrees; 520 images give a matrix of 2080 x 50176 standardized pixels (417 MB).

All solvers run one after the other in one process on the same matrix. Seconds are given as wall time and as CPU time,
which sums over threads and depends less on what else the machine does. SAGA's time to reach the objective at one C is
that of the shortest run of 5, 10, 20, 40, ... passes whose objective exceeds the other solver's by at most 0.1 %.
Memory is the growth of the process' largest resident size since before the images were read, in units of the matrix.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
import warnings
from functools import partial
from pathlib import Path

import numpy as np
from sklearn.exceptions import ConvergenceWarning

from keras_radtl.baselines.lasso import LassoFit, fit_lasso, lasso_path, path_values
from keras_radtl.baselines.standardization import fit_standardization
from keras_radtl.data.decode import read_image
from keras_radtl.data.images import equalize, resize_image

SIZE = 224  # pixels
MOST_PASSES = 640


def read_pixels(folder: Path, positive: str, count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return uint8 images of shape (4 * count, SIZE, SIZE) and their 0/1 targets."""
    files = sorted(path for path in folder.glob("*/*") if path.suffix.lower() in (".png", ".jpg"))
    if len(files) < count:
        sys.exit(f"error: {folder} has {len(files)} images, and {count} were asked for")
    chosen = np.sort(np.random.default_rng(seed).choice(len(files), count, replace=False))
    pixels, targets = np.empty((4 * count, SIZE, SIZE), np.uint8), np.empty(4 * count, np.int64)
    for number, file in enumerate(files[i] for i in chosen):
        image = read_image(file)
        image = image if image.ndim == 2 else image[:, :, 0]
        image = resize_image(equalize(image, 2.0), SIZE, "stretch")
        for turns in range(4):
            pixels[4 * number + turns] = np.rot90(image, turns)
            targets[4 * number + turns] = file.parent.name == positive
    return pixels, targets


def timed(function) -> tuple[dict[str, float], list[LassoFit]]:
    """Return wall and CPU seconds, and the fits that a function returns."""
    wall, processor = time.perf_counter(), time.process_time()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # the certificates are in the result
        fits = list(function())
    return {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - processor}, fits


def summary(seconds: dict[str, float], fits: list[LassoFit]) -> dict:
    """Return times, and what the certificate says about the last fit and the worst of all."""
    last = fits[-1].certificate
    return {
        **{name: round(value, 2) for name, value in seconds.items()},
        "fits": len(fits),
        "iterations": fits[-1].iterations,
        "objective": round(last.objective, 4),
        "relative_gap": float(f"{last.relative_gap:.3g}"),
        "largest_relative_gap": float(f"{max(fit.certificate.relative_gap for fit in fits):.3g}"),
        "sparsity": round(last.sparsity, 4),
        "optimal": all(fit.certificate.optimal for fit in fits),
    }


def peak() -> float:
    """Return the largest resident size of the process so far in bytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)


def saga(matrix: np.ndarray, targets: np.ndarray, C: float, passes: int) -> list[LassoFit]:
    """Fit by SAGA, from zeros."""
    return [fit_lasso(matrix, targets, C, solver="saga", max_iterations=passes)]


def saga_until(matrix: np.ndarray, targets: np.ndarray, C: float, objective: float) -> dict:
    """Double the passes of SAGA until its objective is at most 0.1 % above the given one."""
    passes = 5
    while True:
        seconds, fits = timed(partial(saga, matrix, targets, C, passes))
        print(f"SAGA, {passes} passes:", summary(seconds, fits), file=sys.stderr)
        reached = fits[-1].certificate.objective <= 1.001 * objective
        if reached or passes >= MOST_PASSES:
            return {**summary(seconds, fits), "reached": reached}
        passes *= 2


def ratios(ours: dict, theirs: dict) -> dict[str, float]:
    """Return our times divided by theirs."""
    return {f"{kind}_ratio": round(ours[f"{kind}_s"] / theirs[f"{kind}_s"], 4) for kind in ("wall", "cpu")}


def main() -> None:
    """Run all solvers and print the result as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path, help="folder with one folder of images per class")
    parser.add_argument("--positive", default="malignant", help="name of the positive class")
    parser.add_argument("--images", type=int, default=520, help="images, drawn at random; each gives four rows")
    parser.add_argument("--C", type=float, default=0.05, help="C of the single fit")
    parser.add_argument("--largest", type=float, default=0.5, help="last C of the path")
    parser.add_argument("--steps", type=int, default=20, help="steps of the path")
    parser.add_argument("--passes", type=int, default=100, help="passes of SAGA at the last C")
    parser.add_argument("--solver", default="newton", help="solver that is compared with SAGA: newton or skglm")
    parser.add_argument("--seed", type=int, default=0, help="seed of the choice of images")
    parser.add_argument("--json", type=Path, help="also write the result to this file")
    arguments = parser.parse_args()
    before = peak()
    pixels, targets = read_pixels(arguments.folder, arguments.positive, arguments.images, arguments.seed)
    matrix = fit_standardization(pixels).transform(pixels)
    del pixels
    solver, C = arguments.solver, arguments.C
    one = summary(*timed(lambda: [fit_lasso(matrix, targets, C, solver=solver)]))
    values = path_values(matrix, targets, arguments.steps, arguments.largest)
    path = summary(*timed(lambda: lasso_path(matrix, targets, values, solver=solver)))
    print(f"{solver}:", one, path, sep="\n", file=sys.stderr)
    memory = (peak() - before) / matrix.nbytes
    saga_one = saga_until(matrix, targets, C, one["objective"])
    saga_last = summary(*timed(partial(saga, matrix, targets, values[-1], arguments.passes)))
    result = {
        "matrix": {"shape": matrix.shape, "MB": round(matrix.nbytes / 1e6), "positive": int(targets.sum())},
        f"C={C:g}": {solver: one, "saga": saga_one, **ratios(one, saga_one)},
        f"path to C={values[-1]:g}": {solver: path, f"saga, {arguments.passes} passes": saga_last}
        | ratios(path, saga_last),
        "memory_in_matrices": round(memory, 2),
    }
    text = json.dumps(result, indent=2)
    print(text)
    if arguments.json:
        arguments.json.write_text(text + "\n")


if __name__ == "__main__":
    main()
