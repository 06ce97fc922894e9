"""A sweep: prepared from a study and what was chosen of it, executed, and its result."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING

from keras_radtl.config import UserError, require
from keras_radtl.runs.outputs import check_output_folder
from keras_radtl.sweeps.choices import Choices
from keras_radtl.sweeps.execute import Engine, describe_disk, describe_time, execute_sweep
from keras_radtl.sweeps.folder import SweepFolder, SweepOptions
from keras_radtl.sweeps.requirements import select_available
from keras_radtl.sweeps.results import FAILED, Results
from keras_radtl.sweeps.run_list import RunSpec, check_runs, order_runs
from keras_radtl.sweeps.study import Study
from keras_radtl.sweeps.summary import close, counts
from keras_radtl.sweeps.user_code import user_code

if TYPE_CHECKING:
    import pandas

OUTPUT = Path("saved_models")  # default place of the folders of sweeps


@dataclass(frozen=True, repr=False)
class SweepResult:
    """The result of a sweep.

    Attributes:
        folder: Folder of the sweep.
        columns: Columns of the table: name, factors, metrics and status.
        rows: One dict per run, in the order of the study.
        text: Comparison of the runs, as the command prints it.
    """

    folder: Path
    columns: tuple[str, ...]
    rows: tuple[dict, ...]
    text: str

    @property
    def table(self) -> pandas.DataFrame:
        """One row for each run, with the columns of `results.csv`; NaN where a run has no value."""
        import pandas

        return pandas.DataFrame.from_records(list(self.rows), columns=list(self.columns))

    @property
    def failed(self) -> dict[str, str]:
        """The error of each failed run, by name."""
        return {row["name"]: row.get("error", "") for row in self.rows if row["status"] == FAILED}

    def __repr__(self) -> str:
        return f"<SweepResult: {counts(self.rows)}; folder {str(self.folder)!r}>"

    def _repr_html_(self) -> str:
        table = self.table.to_html(index=False, na_rep="", max_rows=60, float_format="{:.3f}".format)
        return f"<p>{escape(counts(self.rows))} in <code>{escape(str(self.folder))}</code></p>{table}"


@dataclass(frozen=True)
class Sweep:
    """A sweep that can be executed: everything that a user can correct has been checked.

    Attributes:
        study: The study, which determines the comparison of the runs.
        runs: All runs.
        skipped: Reason of each skipped run, by name.
        folder: Folder of the sweep.
        options: How runs are executed.
    """

    study: Study
    runs: tuple[RunSpec, ...]
    skipped: dict[str, str]
    folder: SweepFolder
    options: SweepOptions

    @property
    def available(self) -> list[RunSpec]:
        """Runs that are not skipped, in the order of execution."""
        return order_runs([run for run in self.runs if run.name not in self.skipped])

    @property
    def unfinished(self) -> list[RunSpec]:
        """Runs that are not finished."""
        return [run for run in self.available if not self.folder.run(run.name).finished]

    def describe_disk(self) -> str:
        """Return in one line the disk space that unfinished runs need.

        Raises:
            UserError: If data cannot be read, or the disk has too little space.
        """
        left = self.unfinished
        return f"{_runs(left)}: {describe_disk(left, self.options, self.folder)}"

    def describe_time(self) -> str:
        """Return in one line the time that unfinished runs need on this machine, which is measured now."""
        from keras_radtl.sweeps.speed import try_speed

        left = self.unfinished
        return f"{_runs(left)}: {describe_time(left, self.options, try_speed(left, self.options.module))}"

    def preview(self) -> SweepResult:
        """Return the table without executing a run, with estimates of disk space and time as text."""
        lines = [self.describe_disk(), self.describe_time()] if self.unfinished else []
        return self._result(Results(self.folder, self.runs, self.skipped), "".join(f"{line}\n" for line in lines))

    def execute(self, engine: Engine) -> SweepResult:
        """Execute the unfinished runs, write the comparison of all runs and return the result.

        Raises:
            Stopped: After Ctrl-C or SIGTERM.
            UserError: If another process uses the folder.
        """
        results = execute_sweep(self.runs, self.skipped, self.folder, self.options, engine)
        return self._result(results, close(results, self.study))

    def _result(self, results: Results, text: str) -> SweepResult:
        rows = tuple(dict(row) for row in results.rows.values())
        return SweepResult(self.folder.path, tuple(results.columns), rows, text)


def _runs(runs: Sequence[RunSpec]) -> str:
    return f"{len(runs)} run{'s' * (len(runs) != 1)}"


def list_runs(study: Study, choices: Choices) -> list[RunSpec]:
    """Return the runs of a study.

    Raises:
        UserError: If a run cannot work, there is none, a name is used twice, or the study overrides a value that the
            user set. An error in the file of the study names the file and the line.
    """
    with user_code(study.file):
        runs = study.runs(choices)
    check_runs(runs, study.file or study.name or "study")
    choices.check(runs)
    return list(runs)


def prepare_sweep(
    study: Study,
    runs: Sequence[RunSpec],
    output: Path | None,
    options: SweepOptions,
    skip_missing: Sequence[str],
) -> Sweep:
    """Check everything that runs need and return the sweep.

    Args:
        study: The study.
        runs: Runs from `list_runs`.
        output: Folder of the sweep; None: `saved_models/sweep-NAME`.
        options: How runs are executed.
        skip_missing: What may be missing; see `select_available`.
    Raises:
        UserError: If something is missing, an option is wrong or the folder contains other runs.
    """
    require(1 <= options.per_process <= 10**6, "runs_per_process", "in [1, 1000000]", options.per_process)
    folder = SweepFolder(output or OUTPUT / f"sweep-{study.name}")
    check_output_folder(folder.path)
    skipped = select_available(runs, skip_missing)
    options.run_options(Path())  # refuses wrong values
    folder.check(runs)
    return Sweep(study, tuple(runs), skipped, folder, options)


def get_engine(name: str, ray_address: str | None) -> Engine:
    """Return the function that executes the plan of a sweep.

    Args:
        name: `local` or `ray`.
        ray_address: Address of a running Ray cluster; None: one is started on this machine.
    Raises:
        UserError: If the name is unknown, or an address is given without Ray.
    """
    require(name in ("local", "ray"), "engine", "local or ray", name)
    if name == "ray":
        from keras_radtl.sweeps.ray_engine import run_ray

        return partial(run_ray, address=ray_address)
    if ray_address is not None:
        raise UserError(f"`ray_address` needs `engine='ray'`. Received: ray_address={ray_address!r}")
    from keras_radtl.sweeps.local_engine import run_local

    return run_local
