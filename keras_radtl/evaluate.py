"""Show a run again, or judge its model on new labelled images: `python -m keras_radtl.evaluate RUN [--data PATH]`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import make_parser
from keras_radtl.config import UserError, set_key

NEW = "test"  # the split that new data stand for in the files that are written


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(_run, argv)


def align(table, classes: Sequence[str]):
    """Return a table with its targets numbered by the classes of a run.

    Raises:
        UserError: when the data have a class that the run does not know.
    """
    unknown = [name for name in table.classes if name not in classes]
    if unknown:
        raise UserError(
            f"The data have classes that the run does not know: {', '.join(unknown)}. The run knows {', '.join(classes)}"
        )
    if table.multilabel:
        targets = np.full((len(table), len(classes)), np.nan, np.float32)
        targets[:, [list(classes).index(name) for name in table.classes]] = table.targets
    else:
        number = np.array([*(list(classes).index(name) for name in table.classes), -1], np.int32)
        targets = number[table.targets]
    return replace(table, classes=tuple(classes), targets=targets)


def _run(argv: Sequence[str] | None) -> None:
    parser = make_parser("evaluate", "Show a run again, or judge its model on new labelled images.")
    parser.add_argument("run", metavar="RUN", help="run directory")
    parser.add_argument("--data", help="new labelled images: folder of class folders, CSV, .npz")
    parser.add_argument("--label", help="label column of a CSV")
    parser.add_argument("--positive", help="this class against all others (default: as in the run)")
    parser.add_argument("--groups", help="patients or exams, as in fit (default: as in the run)")
    parser.add_argument("--output", metavar="FOLDER", type=Path, help="where predictions, metrics and figures go")
    arguments = parser.parse_args(argv)
    from keras_radtl.runs.directory import RunDirectory

    if arguments.data is None:
        from keras_radtl.reports.run_text import show_run

        run = RunDirectory(Path(arguments.run))
        run.config()
        if not run.finished:
            raise UserError(f"{run.path} is not finished; the command that started it goes on with it")
        sys.stdout.write(show_run(run, splits=("train", "val", "test")))
        return
    if arguments.output is None:
        raise UserError("--data needs --output FOLDER for the predictions, metrics and figures")
    sys.stdout.write(_judge(arguments))


def _judge(arguments) -> str:
    from keras_radtl.data.sources import read_table
    from keras_radtl.reports.run_figures import draw_predictions
    from keras_radtl.runs.directory import RunDirectory
    from keras_radtl.runs.progress import Progress
    from keras_radtl.runs.results import Predictions, metrics_table, write_results
    from keras_radtl.runs.trained_model import load_run

    if arguments.output.exists() and any(arguments.output.iterdir()):
        raise UserError(f"--output {arguments.output} is not empty; name a new folder")
    run = load_run(arguments.run)
    config = set_key(run.config, "data.path", arguments.data)
    for name in ("label", "positive", "groups"):
        if getattr(arguments, name) is not None:
            config = set_key(config, f"data.{name}", getattr(arguments, name))
    table = align(read_table(config.data), run.classes)
    with Progress("images", len(table)) as progress:
        pixels = run.read(table, progress.update)
    with Progress("predicting", len(table) * len(run.models)) as progress:
        parts = {NEW: Predictions(np.arange(len(table)), run.logits(pixels, progress.advance))}
    folder = RunDirectory(arguments.output)
    metrics = write_results(folder, table, parts, config.seed)
    draw_predictions(folder, table, parts)
    return f"\n{metrics_table(metrics, (NEW,))}\n\nresults:  {arguments.output}\n"


if __name__ == "__main__":
    sys.exit(main())
