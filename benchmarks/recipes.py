"""Recipes for a few hundred images, side by side on the same folds: AUC, paired tests, time and memory.

    python benchmarks/recipes.py --data BUSI --positive malignant --output FOLDER
    python benchmarks/recipes.py --data pneumonia.npz --output FOLDER --seeds 0 1 2 --recipes ridge probe recommended

`ridge` is scikit-learn's logistic regression on features that are computed here, outside of the package's strategies:
the last feature map of EfficientNet-Lite0, pooled and standardised, with the penalty 0.1 per case, on training and
validation cases. All other recipes are options of `fit`. Run the same command again to resume. It prints a table in
Markdown for each seed; p-values are DeLong's, paired, clustered by the groups of the cases, against `ridge`.
"""

from __future__ import annotations

import argparse
import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RECIPES = {
    "ridge": [],
    "quickstart": "--preset quickstart".split(),
    "linear_epochs": "--preset quickstart --unfreeze none --head linear --epochs 30 --learning-rate 0.003".split(),
    "probe": "--strategy probe --backbone efficientnet_lite0 --pooling average --views 1 --tta flips".split(),
    "probe_stages": "--strategy probe --backbone efficientnet_lite0 --pooling stages --views 1 --tta flips".split(),
    "probe_three": "--strategy probe --pooling average".split(),
    "recommended": [],
}
PENALTY = 0.1  # per case
FOLDS = 5


def main(argv=None) -> int:
    """Run the recipes that are not finished and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", required=True)
    parser.add_argument("--positive")
    parser.add_argument("--output", required=True, type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--recipes", nargs="+", choices=RECIPES, default=list(RECIPES))
    arguments = parser.parse_args(argv)
    options = ["--data", arguments.data, *(["--positive", arguments.positive] if arguments.positive else [])]
    for seed in arguments.seeds:
        names = dict.fromkeys(["ridge", *arguments.recipes])  # the reference is always there
        folders = {name: arguments.output / f"{name}-{seed}" for name in names}
        for name, folder in folders.items():
            if not (folder / "measured.json").is_file():
                measure(name, [*options, "--folds", str(FOLDS), "--seed", str(seed)], folder)
        show(seed, folders)
    return 0


def measure(name: str, options: list[str], folder: Path) -> None:
    """Run a recipe in a process of its own, with an empty cache, and write its seconds and peak memory."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="keras_radtl-bench-") as cache:
        environment = {**os.environ, "KERAS_RADTL_CACHE": cache}
        command = [sys.executable, "-m", "keras_radtl.fit", *options, *RECIPES[name], "--output", str(folder)]
        if name == "ridge":
            command = [sys.executable, "-c", "import sys, recipes; recipes.ridge(*sys.argv[1:])", str(folder), *options]
            environment["PYTHONPATH"] = os.pathsep.join([str(Path(__file__).parent), os.environ.get("PYTHONPATH", "")])
        before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
        subprocess.run([*command, *(["--resume"] if name != "ridge" else [])], env=environment, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    values = {"seconds": time.perf_counter() - started, "cpu_seconds": cpu, "peak_mb": after.ru_maxrss / 1024}
    (folder / "measured.json").write_text(json.dumps(values))


def ridge(folder: str, *options: str) -> None:
    """Fit scikit-learn's logistic regression on the folds of the package and write its predictions."""
    import numpy as np
    from sklearn.linear_model import LogisticRegression

    import keras_radtl as rtl
    from keras_radtl.cli.options import config_from
    from keras_radtl.fit import parser

    config = config_from(parser().parse_args([*options, *RECIPES["linear_epochs"]]))
    data = rtl.load_data(config)
    import keras

    model = rtl.build_classifier(config.model, len(data.cases.classes), data.pixels.shape[1:], seed=0)
    pooled = keras.Model(model.input, model.get_layer("pooling").output)
    features = pooled.predict(np.asarray(data.pixels), batch_size=32, verbose=0).astype(np.float64)
    labels, scores = data.cases.targets, np.zeros(len(data.cases))
    for split in data.splits:
        learned = np.concatenate([split.train, split.val])
        mean, scale = features[learned].mean(axis=0), features[learned].std(axis=0) + 1e-8
        model = LogisticRegression(C=1 / (PENALTY * len(learned)), max_iter=10_000, tol=1e-8)
        model.fit((features[learned] - mean) / scale, labels[learned])
        scores[split.test] = model.predict_proba((features[split.test] - mean) / scale)[:, 1]
    Path(folder).mkdir(exist_ok=True)
    with open(Path(folder) / "ridge.csv", "w", newline="") as file:
        rows = zip(data.cases.cases, labels, scores, data.cases.groups, strict=True)
        csv.writer(file).writerows([("case", "label", "score", "group"), *rows])


def show(seed: int, folders: dict[str, Path]) -> None:
    """Print the recipes of a seed: AUC, mean AUC of the folds, time and memory; and the tests against `ridge`."""
    import keras_radtl as rtl

    runs = {name: rtl.load_run(folder) for name, folder in folders.items() if name != "ridge"}
    compared = rtl.compare_models(folders["ridge"] / "ridge.csv", *runs.values(), clustered=True)
    columns = ("recipe", "AUC", "mean AUC of folds", "p", "seconds", "CPU seconds", "peak MB")
    print(f"\nseed {seed}\n\n| {' | '.join(columns)} |\n|{'---|' * len(columns)}")
    pairs = compared.pairs[compared.pairs["a"] == "ridge"].set_index("b")
    for (name, folder), (_, row) in zip(folders.items(), compared.auc.iterrows(), strict=True):
        measured = json.loads((folder / "measured.json").read_text())
        fold_mean = f"{runs[name].metrics['test'].loc['auc_fold_mean', 'value']:.4f}" if name in runs else "-"
        p = f"{pairs.loc[row.name, 'p']:.4f}" if name in runs else "-"
        cells = (f"{row['auc']:.4f} [{row['ci_low']:.4f}, {row['ci_high']:.4f}]", fold_mean, p)
        print(f"| {name} | {' | '.join(cells)} | {' | '.join(f'{measured[key]:.0f}' for key in measured)} |")


if __name__ == "__main__":
    sys.exit(main())
