"""The fit, the sweep and the search that are killed at every operation, and the states of their folder.

A process that dies at an operation leaves what the earlier operations have written. One uninterrupted run, whose folder
is copied before each operation, therefore gives the state after every possible death, and no process has to die.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from faults import FULL, RAISE, SHORT, Faults, injected

from keras_radtl.cli.app import run_command
from keras_radtl.config import Config, update
from keras_radtl.runs.files import TEMPORARY

TINY = {
    "data": {"image_size": 32, "phantoms": {"count": 40, "image_size": 32}},
    "model": {"backbone": "tiny", "weights": "none", "head": {"name": "linear"}},
    "training": {"epochs": 2, "unfreeze": "none", "batch_size": 32},
}
FOLDS = {"split": {"folds": 2}}
State = dict[str, bytes | None]  # content by relative path; None: a folder


def fit(output: Path, data) -> None:
    """Train two folds."""
    from keras_radtl.training.train import train

    train(update(Config(), {**TINY, **FOLDS}), output, data=data, figures=False, resume=True)


def sweep(output: Path, data) -> None:
    """Train two runs that differ in the learning rate."""
    from keras_radtl.studies.run import run_sweep
    from keras_radtl.sweeps.run_list import RunSpec

    base = update(Config(), TINY)
    rates = {"low": 1e-3, "high": 1e-1}
    run_sweep(
        [RunSpec(k, update(base, {"training": {"learning_rate": v}}), {"rate": k}) for k, v in rates.items()], output
    )


def tune(output: Path, data) -> None:
    """Train three trials of a random search, and keep the best model."""
    from keras_radtl.search.search import tune as search
    from keras_radtl.search.settings import TunerSettings
    from keras_radtl.search.space import make_space

    config = update(Config(), TINY)
    space = make_space({"training.learning_rate": {"low": 1e-4, "high": 1e-1, "log": True}}, config)
    search(config, space, TunerSettings("random", max_epochs=1, trials=3, keep=1), output)


COMMANDS = {"fit": fit, "sweep": sweep, "tune": tune}


class WorkerInThisProcess:
    """Replaces the child process of a sweep or a search: its tasks are executed at once, here."""

    def __init__(self, arguments, log: Path, stop, environment):
        from keras_radtl.search.trial_worker import TrialWorker
        from keras_radtl.sweeps.worker import SweepWorker

        log.open("ab").close()
        self._worker = (TrialWorker if "trial_worker" in arguments[1] else SweepWorker)(Path(arguments[-1]))

    def send(self, task: dict) -> None:
        self._answer = asdict(self._worker.answer(json.loads(json.dumps(task))))

    def receive(self) -> dict:
        return self._answer

    def end(self, seconds: float) -> int:
        return 0


@dataclass
class Place:
    """A command with its folder: `out` below `root` is its output, and `cache` the cache of all runs."""

    name: str
    root: Path
    data: object
    outcome: Callable[[Path], dict]
    capsys: object
    expected: dict = field(default_factory=dict)
    intact: set[str] = field(default_factory=set)  # keys of states from which the command ends as expected

    @property
    def out(self) -> Path:
        return self.root / "out"

    def run(self, faults: Faults | None = None) -> tuple[int, str]:
        """Run the command; returns its exit code and what it wrote to stderr."""
        self.capsys.readouterr()
        with injected(faults or Faults(self.root)):
            code = run_command(lambda _: COMMANDS[self.name](self.out, self.data), None)
        return code, self.capsys.readouterr().err

    def results(self) -> dict:
        """Return everything that must be equal."""
        best = self.out / "best_config.json"
        return {**self.outcome(self.out), "best": best.read_text() if best.is_file() else ""}

    def restore(self, state: State) -> None:
        """Make the folder what it was."""
        shutil.rmtree(self.root)
        self.root.mkdir()
        for name, content in state.items():
            if content is None:
                (self.root / name).mkdir()
            else:
                (self.root / name).write_bytes(content)

    def state(self) -> State:
        """Return the content of the folder; a folder comes before what is in it."""
        paths = sorted(self.root.rglob("*"))
        return {str(path.relative_to(self.root)): None if path.is_dir() else path.read_bytes() for path in paths}

    def record(self) -> list[State]:
        """Run the command once without a fault; returns the states before each operation and at the end."""
        states: list[State] = []
        self.restore({})
        assert self.run(Faults(self.root, before=lambda: states.append(self.state()))) == (0, "")
        self.expected = self.results()
        return [*states, self.state()]

    def resume(self) -> None:
        """Run the command again as a new process would; it must end as without a fault."""
        state = self.state()
        if key(state) in self.intact:
            return
        code, text = self.run()
        assert code == 0, text
        assert self.results() == self.expected
        left = [path for path in self.out.rglob("*") if TEMPORARY in path.name]
        assert not left and not (self.root / ".out.lock").exists(), left
        self.intact.add(key(state))


def key(state: State) -> str:
    """Return what equal states have in common.

    Of unfinished files only the name counts, since nobody reads them, and of models too, since the time is in them.
    """
    digest = hashlib.sha256()
    for name, content in sorted(state.items()):
        read = content is not None and TEMPORARY not in name and not name.endswith((".keras", ".lock", "log.txt"))
        digest.update(
            f"{name}{os.sep * (content is None)}\n".encode() + hashlib.sha256(content if read else b"").digest()
        )
    return digest.hexdigest()


def failures(operations: list[str], count: int) -> list[tuple[int, str]]:
    """Return evenly spread operations, each with one way to fail."""
    every = [
        (number, kind)
        for number, operation in enumerate(operations)
        for kind in (RAISE, FULL, SHORT)
        if kind != SHORT or operation.startswith("write")
    ]
    return [every[len(every) * i // count] for i in range(count)]
