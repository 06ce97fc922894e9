"""Valid inputs of every command, made once, and the sandbox in which a bad one is tried."""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parent))


def _register() -> None:
    runpy.run_path(str(Path(__file__).parents[1] / "tiny_backbone.py"))["register"]()


@pytest.fixture(scope="session")
def shared(pictures, tmp_path_factory) -> dict[str, Path]:
    """Return the valid inputs by name; nobody changes them."""
    from keras_radtl.models.backbones.table import BACKBONES

    folder = tmp_path_factory.mktemp("shared")
    known = "tiny" in BACKBONES
    _register()
    made = {"pictures": pictures, "image": next(iter(sorted(pictures.rglob("*.png")))), "scores": folder / "scores"}
    made |= {name: folder / name for name in ("run", "folds", "half", "nan_run")}
    _runs(made)
    _tables(made["scores"])
    made["list"] = folder / "list.py"
    made["list"].write_text(
        "from keras_radtl.sweeps.run_list import RunSpec\n"
        "STUDY = {'data': {'image_size': 32, 'phantoms': {'count': 40, 'image_size': 32}},"
        " 'model': {'backbone': 'tiny', 'weights': 'none', 'head': {'name': 'linear'}}, 'training': {'epochs': 1}}\n"
        "def runs(choices):\n    return [RunSpec('a', choices.config(), {})]\n"
    )
    if not known:
        del BACKBONES["tiny"]
    return made


def _runs(made: dict[str, Path]) -> None:
    """Train a run, one with two folds, one that was stopped in its second epoch, and one whose weights are NaN."""
    import shutil

    import keras
    from corpus.case import FIT

    from keras_radtl.cli.options import config_from
    from keras_radtl.config import set_key
    from keras_radtl.fit import parser
    from keras_radtl.runs.interrupt import Stopped
    from keras_radtl.training import callbacks
    from keras_radtl.training.run_options import RunOptions
    from keras_radtl.training.train import train_run

    argv = [text.replace("<pictures>", str(made["pictures"])) for text in FIT]
    config = config_from(parser().parse_args(argv))
    train_run(config, RunOptions(made["run"], figures=False))
    short = set_key(config, "training.epochs", 1)
    train_run(set_key(short, "split.folds", 2), RunOptions(made["folds"], figures=False))

    def stop(self, batch, logs=None):
        if self._epoch == 1:
            raise Stopped("stopped")

    with pytest.MonkeyPatch.context() as patch, pytest.raises(Stopped):
        patch.setattr(callbacks.StopOnRequest, "on_train_batch_end", stop)
        train_run(config, RunOptions(made["half"], figures=False))
    shutil.copytree(made["run"], made["nan_run"])
    from keras_radtl.models.saved_model import load_model

    model = load_model(made["run"] / "model.keras")
    model.set_weights([value * np.nan for value in model.get_weights()])
    model.save(made["nan_run"] / "model.keras")
    keras.backend.clear_session()


def _tables(folder: Path) -> None:
    folder.mkdir()
    random = np.random.default_rng(0)
    for name in ("a", "b"):
        rows = [f"c{i},{i % 2},{0.3 * (i % 2) + 0.5 * random.random():.6f}" for i in range(20)]
        (folder / f"{name}.csv").write_text("\n".join(["case,label,score", *rows]) + "\n")
    rows = [
        f"{head},{task},{seed},{0.7 + 0.05 * (head == 'conv') + 0.1 * random.random():.6f}"
        for seed in range(4)
        for task in "abcd"
        for head in ("linear", "conv")
    ]
    (folder / "table.csv").write_text("\n".join(["head,task,seed,auc", *rows]) + "\n")


@pytest.fixture(scope="session")
def untouched(shared):
    """Return a function that fails when a valid input has changed."""
    from corpus.case import tree

    def state() -> str:
        return json.dumps(
            {name: tree(path) if path.is_dir() else path.stat().st_size for name, path in shared.items()},
            sort_keys=True,
        )

    before = state()

    def check() -> None:
        assert state() == before

    return check
