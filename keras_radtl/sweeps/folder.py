"""The folder of a sweep: its files, and the recorded failures of runs."""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from keras_radtl.config import UserError, to_dict
from keras_radtl.runs.directory import CONFIG, RunDirectory
from keras_radtl.runs.files import atomic, difference, read_json, write_json
from keras_radtl.sweeps.run_list import RunSpec, to_json
from keras_radtl.training.run_options import RunOptions


@dataclass(frozen=True)
class SweepOptions:
    """How the runs of a sweep are executed; no option changes a result.

    Attributes:
        reuse: Whether frozen layers are computed once for all runs.
        feature_cache_size: Disk space for the activations of frozen layers, in gigabytes.
        save_models: Whether the model of every run is saved.
        figures: Whether the figures of every run are drawn.
        checkpoint_seconds: Minimum time between two checkpoints of a run.
        module: File of the list of runs, which workers load first, since it may add backbones; empty: none.
        per_process: Maximum number of runs in one process.
    """

    reuse: bool = True
    feature_cache_size: float = 8.0
    save_models: bool = False
    figures: bool = False
    checkpoint_seconds: float = 60.0
    module: str = ""
    per_process: int = 32

    def run_options(self, output: Path) -> RunOptions:
        """Return the options of one run."""
        return RunOptions(
            output,
            resume=True,
            reuse=self.reuse,
            feature_cache_size=self.feature_cache_size,
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
        """The table of results, one row per run."""
        return self.path / "results.csv"

    @property
    def plan(self) -> Path:
        """The runs that were unfinished at the last start of the sweep, with the options."""
        return self.path / "plan.json"

    @property
    def log(self) -> Path:
        """The log of the runs."""
        return self.path / "log.txt"

    def run(self, name: str) -> RunDirectory:
        """Return the directory of one run."""
        return RunDirectory(self.path / "runs" / name)

    def _failure(self, name: str) -> Path:
        return self.path / "failures" / f"{name}.json"

    def set_failure(self, name: str, error: str, seconds: float) -> None:
        """Record why a run failed."""
        write_json(self._failure(name), {"error": " ".join(error.split()), "seconds": round(seconds, 1)})

    def clear_failure(self, name: str) -> None:
        """Remove the record of a failure, since the run is tried again or has finished."""
        self._failure(name).unlink(missing_ok=True)

    def failure(self, name: str) -> dict | None:
        """Return `error` and `seconds` of a failed run; None for other runs."""
        file = self._failure(name)
        return read_json(file) if file.is_file() else None

    def receive(self, name: str, files: Mapping[str, bytes]) -> None:
        """Write the directory of a run that was executed on another machine, completely or not at all.

        Args:
            name: Name of the run; an incomplete directory of that name is replaced.
            files: Contents by relative path.
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
        """Refuse a folder that contains a run of the same name with a different configuration.

        Raises:
            UserError: If there is one; the message names the run and the differences.
        """
        for run in runs:
            directory = self.run(run.name)
            there = to_dict(directory.config()) if (directory / CONFIG).is_file() else {}
            changed = difference(there, to_dict(run.config)) if there else []
            if changed:
                differs = "; ".join(changed[:3])
                raise UserError(f"{self.path} contains run {run.name!r} with {differs}; choose another `output`")

    def write_plan(self, runs: Sequence[RunSpec], options: SweepOptions) -> None:
        """Write the unfinished runs and the options."""
        write_json(self.plan, {"options": asdict(options), "runs": to_json(runs)})
