"""What runs need and may be missing: data and weights, checked before the first run starts."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_radtl.config import Config, UserError
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.sweeps.spelling import FLAGS, Spelling


def missing_things(runs: Sequence[RunSpec], spelling: Spelling) -> dict[str, dict[str, str]]:
    """Return, by run name, what is missing: a word such as `acl` or `radimagenet:resnet50`, and the reason.

    ImageNet weights that Keras publishes are downloaded here, once, when there is a network.
    """
    known: dict[tuple, str | None] = {}
    missing: dict[str, dict[str, str]] = {}
    for run in runs:
        task = str(run.factors.get("task", "data")).lower()
        things = {task: ("data", task, run.config.data.path)}
        for backbone, weights in _branches(run.config):
            word = f"{Path(weights).name}:{backbone}"
            things[word] = ("weights", backbone, weights, run.config.model.weights_dir)
        for word, thing in things.items():
            if thing not in known:
                known[thing] = (
                    _data_problem(*thing[1:], spelling) if thing[0] == "data" else _weights_problem(*thing[1:])
                )
            if known[thing]:
                missing.setdefault(run.name, {})[word] = known[thing]
    return missing


def _branches(config: Config) -> list[tuple[str, str]]:
    from keras_radtl.models.backbones.branches import branches

    return [(branch.spec.name, branch.weights) for branch in branches(config.model)]


def _data_problem(task: str, path: str, spelling: Spelling) -> str | None:
    if not path:
        return f"name its images by {spelling.task_data(task)}"
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


def select_available(runs: Sequence[RunSpec], skip: Sequence[str], spelling: Spelling = FLAGS) -> dict[str, str]:
    """Return, by name, the reason of each run that is skipped because something named by `skip` is missing.

    Args:
        runs: the whole list.
        skip: words: a task, a weight set, a backbone, or `weights:backbone`; runs that miss nothing are not skipped.
        spelling: how messages name what the user can set.
    Raises:
        UserError: when something else is missing, listing all of it in one line.
    """
    words = {word.lower() for word in skip}
    skipped, refused = {}, {}
    for name, things in missing_things(runs, spelling).items():
        forgiven = {word for word in things if words & {word, *word.split(":")}}
        if len(forgiven) == len(things):
            skipped[name] = "; ".join(f"{word}: {reason}" for word, reason in things.items())
        else:
            refused |= {word: reason for word, reason in things.items() if word not in forgiven}
    if refused:
        listed = "; ".join(f"{word} ({_short(reason)})" for word, reason in refused.items())
        raise UserError(f"Missing: {listed}. To skip these runs: {spelling.skip_missing(list(refused))}")
    if len(skipped) == len(runs):
        raise UserError(f"Every run is skipped: {next(iter(skipped.values()))}")
    return skipped


def _short(reason: str) -> str:
    sentence = reason.split(". ")[0].split(" (")[0]
    return sentence if len(sentence) <= 120 else f"{sentence[:117]}..."
