"""Data and weights that runs need, checked before the first run starts."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_radtl.config import Config, UserError, require
from keras_radtl.config.errors import LINE
from keras_radtl.sweeps.run_list import RunSpec

_REASON = 120  # characters of a reason in a list of them


def missing_things(runs: Sequence[RunSpec], download: bool = True) -> dict[str, dict[str, str]]:
    """Return what is missing by run name: a word such as `acl` or `radimagenet:resnet50`, with the reason.

    Args:
        runs: The runs.
        download: Download the ImageNet weights that Keras publishes, once; False: assume that they are available.
    """
    known: dict[tuple, str | None] = {}
    missing: dict[str, dict[str, str]] = {}
    for run in runs:
        task = _task(run)
        things = {task: ("data", task, run.config.data.path)}
        for backbone, weights in _branches(run.config):
            word = f"{Path(weights).name}:{backbone}"
            things[word] = ("weights", backbone, weights, run.config.model.weights_dir)
        for word, thing in things.items():
            if thing not in known:
                problem = _data_problem if thing[0] == "data" else _weights_problem
                assumed = not download and _is_published(*thing[1:3])
                known[thing] = None if assumed else problem(*thing[1:])
            if known[thing]:
                missing.setdefault(run.name, {})[word] = known[thing]
    return missing


def _branches(config: Config) -> list[tuple[str, str]]:
    from keras_radtl.models.backbones.branches import branches

    return [(branch.spec.name, branch.weights) for branch in branches(config.model)]


def _data_problem(task: str, path: str) -> str | None:
    if not path:
        return f"name its images by `data={{{task!r}: 'PATH'}}`"
    return None if path == "phantoms" or Path(path).exists() else f"there is no {path}"


def _is_published(backbone: str, weights: str) -> bool:
    """Return whether Keras downloads these weights."""
    from keras_radtl.models.weights.sources import IMAGENET_FILES

    return weights == "imagenet" and backbone in IMAGENET_FILES


def _weights_problem(backbone: str, weights: str, weights_dir: str | None) -> str | None:
    from keras_radtl.models.backbones.table import get_backbone
    from keras_radtl.models.weights.sources import find_weights
    from keras_radtl.reproducibility import import_tensorflow

    if weights == "none":
        return None
    if _is_published(backbone, weights):
        import_tensorflow()
    try:
        with contextlib.redirect_stdout(sys.stderr):
            found = find_weights(get_backbone(backbone), weights, weights_dir)
    except UserError as error:
        return str(error)
    return None if found.path.is_file() else f"there is no file {found.path}"


def _known_words(runs: Sequence[RunSpec]) -> set[str]:
    """Return the words that can be named as missing: tasks, weight sets, backbones, and `weights:backbone`."""
    words = {_task(run) for run in runs}
    for run in runs:
        for backbone, weights in _branches(run.config):
            name = Path(weights).name
            words |= {backbone, name.lower(), f"{name}:{backbone}".lower()}
    return words


def _task(run: RunSpec) -> str:
    return str(run.factors.get("task", "data")).lower()


def select_available(runs: Sequence[RunSpec], skip: Sequence[str]) -> dict[str, str]:
    """Return the reason, by name, of each run that is skipped because something named by `skip` is missing.

    Args:
        runs: All runs of the list.
        skip: Words: a task, a weight set, a backbone, or `weights:backbone`. Runs for which nothing is missing are not
            skipped.
    Raises:
        UserError: If anything else is missing; the message lists it in one line.
    """
    words = {word.lower() for word in skip}
    unknown = [word for word in skip if word.lower() not in _known_words(runs)]
    require(not unknown, "skip_missing", "tasks, weight sets or backbones of the runs", unknown[0] if unknown else None)
    for download in (False, True):  # nothing is downloaded if anything else is missing
        skipped, refused = _sort(missing_things(runs, download), words)
        if refused:
            raise UserError(_refusal(refused))
    if len(skipped) == len(runs):
        raise UserError(f"Every run is skipped: {next(iter(skipped.values()))}")
    return skipped


def _sort(missing: dict[str, dict[str, str]], words: set[str]) -> tuple[dict[str, str], dict[str, str]]:
    """Return the reason of each skipped run by name, and the reason of each thing that no word allows to be missing."""
    skipped, refused = {}, {}
    for name, things in missing.items():
        forgiven = {word for word in things if words & {word, *word.split(":")}}
        if len(forgiven) == len(things):
            skipped[name] = "; ".join(f"{word}: {reason}" for word, reason in things.items())
        else:
            refused |= {word: reason for word, reason in things.items() if word not in forgiven}
    return skipped, refused


def _refusal(missing: dict[str, str]) -> str:
    """Return the line that lists what is missing, with as many of the reasons as it has space for."""
    advice = f". To skip these runs: `skip_missing={list(missing)}`"
    parts = list(missing)
    for i, (word, reason) in enumerate(missing.items()):
        longer = [*parts[:i], f"{word} ({_short(reason)})", *parts[i + 1 :]]
        if len("Missing: " + "; ".join(longer) + advice) <= LINE:
            parts = longer
    return "Missing: " + "; ".join(parts) + advice


def _short(reason: str) -> str:
    sentence = reason.split(". ")[0].split(" (")[0]
    return sentence if len(sentence) <= _REASON else f"{sentence[: _REASON - 3]}..."
