"""The folder of a sweep: which files are in it, and how a failed run is remembered until it is tried again."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from keras_radtl.config import UserError, to_dict
from keras_radtl.runs.directory import CONFIG, RunDirectory
from keras_radtl.runs.files import atomic, difference, read_json, write_json
from keras_radtl.sweeps.run_list import RunSpec, from_json, to_json
from keras_radtl.training.run_options import RunOptions


@dataclass(frozen=True)
class SweepOptions:
    """How the runs of a sweep are done; none of it changes a result.

    Attributes:
        reuse: compute what is frozen once for all runs.
        feature_cache_gb: size of the store for it in gigabytes.
        save_models: keep the model of every run.
        figures: draw the figures of every run.
        checkpoint_seconds: at least so long between two checkpoints of a run.
        module: file of the list of runs; a worker loads it first, so that it may add backbones of its own.
        per_process: at most so many runs by one process.
    """

    reuse: bool = True
    feature_cache_gb: float = 8.0
    save_models: bool = False
    figures: bool = False
    checkpoint_seconds: float = 60.0
    module: str = ""
    per_process: int = 32

    def run_options(self, output: Path) -> RunOptions:
        """Return the request for one run."""
        return RunOptions(
            output,
            resume=True,
            reuse=self.reuse,
            feature_cache_gb=self.feature_cache_gb,
            checkpoint_seconds=self.checkpoint_seconds,
            save_model=self.save_models,
            figures=self.figures,
        )


@dataclass(frozen=True)
class SweepFolder:
    """Paths of a sweep: `runs/NAME` for each run, `failures/NAME.json`, `results.csv`, `plan.json` and `log.txt`."""

    path: Path

    @property
    def results(self) -> Path:
        """The table, one row a run."""
        return self.path / "results.csv"

    @property
    def plan(self) -> Path:
        """The runs that this invocation still had to do."""
        return self.path / "plan.json"

    @property
    def log(self) -> Path:
        """What the runs told while they ran."""
        return self.path / "log.txt"

    def run(self, name: str) -> RunDirectory:
        """Return the directory of one run."""
        return RunDirectory(self.path / "runs" / name)

    def _failure(self, name: str) -> Path:
        return self.path / "failures" / f"{name}.json"

    def set_failure(self, name: str, error: str, seconds: float) -> None:
        """Remember why a run failed."""
        write_json(self._failure(name), {"error": " ".join(error.split()), "seconds": round(seconds, 1)})

    def clear_failure(self, name: str) -> None:
        """Forget a failure: the run is done again, or has been."""
        self._failure(name).unlink(missing_ok=True)

    def failure(self, name: str) -> dict | None:
        """Return `error` and `seconds` of a failed run; None when it did not fail."""
        file = self._failure(name)
        return read_json(file) if file.is_file() else None

    def receive(self, name: str, files: Mapping[str, bytes]) -> None:
        """Put the directory of a run that was done elsewhere in its place, whole or not at all.

        Args:
            name: of the run; what an interrupted run left there goes.
            files: content by relative path.
        """
        target = self.run(name).path
        fresh = target.with_name(f".tmp-{target.name}")
        shutil.rmtree(fresh, ignore_errors=True)
        for path, content in files.items():
            with atomic(fresh / path) as temporary:
                temporary.write_bytes(content)
        shutil.rmtree(target, ignore_errors=True)
        os.replace(fresh, target)

    def check(self, runs: Sequence[RunSpec]) -> None:
        """Refuse a folder that holds a run of the same name with another configuration.

        Raises:
            UserError: naming the run and what differs.
        """
        for run in runs:
            directory = self.run(run.name)
            there = to_dict(directory.config()) if (directory / CONFIG).is_file() else {}
            changed = difference(there, to_dict(run.config)) if there else []
            if changed:
                raise UserError(
                    f"{self.path} holds run {run.name} with {'; '.join(changed[:3])}; name another --output"
                )

    def write_plan(self, runs: Sequence[RunSpec], options: SweepOptions) -> None:
        """Write what is left to do, for the workers."""
        write_json(self.plan, {"options": asdict(options), "runs": to_json(runs)})

    def read_plan(self) -> tuple[list[RunSpec], SweepOptions]:
        """Read the plan back."""
        values = read_json(self.plan)
        return from_json(values["runs"]), SweepOptions(**values["options"])
