"""What runs need and may not be here: data and weights, found out before the first run starts."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_radtl.config import Config, UserError
from keras_radtl.sweeps.run_list import RunSpec


def missing_things(runs: Sequence[RunSpec]) -> dict[str, dict[str, str]]:
    """Return, by run name, what that run lacks: a word such as `acl` or `radimagenet:resnet50`, and the reason.

    ImageNet weights that Keras publishes are downloaded here, once, where there is a network.
    """
    known: dict[tuple, str | None] = {}
    lacking: dict[str, dict[str, str]] = {}
    for run in runs:
        task = str(run.factors.get("task", "data")).lower()
        things = {task: ("data", task, run.config.data.path)}
        model = run.config.model
        try:
            for backbone, weights in _branches(run.config):
                things[f"{Path(weights).name}:{backbone}"] = ("weights", backbone, weights, model.weights_dir)
        except UserError as error:
            lacking.setdefault(run.name, {})[f"{Path(model.weights).name}:{model.backbone}"] = str(error)
        for word, thing in things.items():
            if thing not in known:
                known[thing] = _data_problem(*thing[1:]) if thing[0] == "data" else _weights_problem(*thing[1:])
            if known[thing]:
                lacking.setdefault(run.name, {})[word] = known[thing]
    return lacking


def _branches(config: Config) -> list[tuple[str, str]]:
    from keras_radtl.models.backbones.branches import branches

    return [(branch.spec.name, branch.weights) for branch in branches(config.model)]


def _data_problem(task: str, path: str) -> str | None:
    if not path:
        return f"name its images by --data-{task}"
    return None if path == "phantoms" or Path(path).exists() else f"there is no {path}"


def _weights_problem(backbone: str, weights: str, weights_dir: str | None) -> str | None:
    from keras_radtl.models.backbones.table import get_backbone
    from keras_radtl.models.weights.sources import IMAGENET_FILES, find_weights
    from keras_radtl.reproducibility import import_tensorflow

    if weights == "none":
        return None
    if weights == "imagenet" and backbone in IMAGENET_FILES:  # Keras fetches them
        import_tensorflow()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            found = find_weights(get_backbone(backbone), weights, weights_dir)
    except UserError as error:
        return str(error)
    return None if found.path.is_file() else f"there is no file {found.path}"


def select_available(runs: Sequence[RunSpec], skip: Sequence[str]) -> dict[str, str]:
    """Return the reason by name of each run that is left out because it lacks something named by `skip`.

    Args:
        runs: the whole list.
        skip: words: a task, a weight set, a backbone, or `weights:backbone`; only what is really absent is left out.
    Raises:
        UserError: when a run lacks something else, listing all of it in one line.
    """
    words = {word.lower() for word in skip}
    skipped, refused = {}, {}
    for name, things in missing_things(runs).items():
        forgiven = {word for word in things if words & {word, *word.split(":")}}
        if len(forgiven) == len(things):
            skipped[name] = "; ".join(f"{word}: {reason}" for word, reason in things.items())
        else:
            refused |= {word: reason for word, reason in things.items() if word not in forgiven}
    if refused:
        listed = "; ".join(f"{word} ({_short(reason)})" for word, reason in refused.items())
        raise UserError(f"Not here: {listed}. To leave these runs out: --skip-missing {' '.join(refused)}")
    if len(skipped) == len(runs):
        raise UserError(f"Every run is left out: {next(iter(skipped.values()))}")
    return skipped


def _short(reason: str) -> str:
    sentence = reason.split(". ")[0].split(" (")[0]
    return sentence if len(sentence) <= 120 else f"{sentence[:117]}..."
