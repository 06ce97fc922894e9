"""Show the metrics of a run, or evaluate it on new images: `python -m keras_radtl.evaluate RUN [--data PATH]`."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import make_parser
from keras_radtl.config import UserError

NEW = "test"  # split name of the new data in the files that are written


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(_run, argv)


def _run(argv: Sequence[str] | None) -> None:
    parser = make_parser("evaluate", "Show the metrics of a run, or evaluate its model on new labeled images.")
    parser.add_argument("run", metavar="RUN", help="run directory")
    parser.add_argument("--data", help="new labeled images: folder, CSV or .npz (default: those of the run)")
    parser.add_argument("--label", help="label column of a CSV (default: that of the run)")
    parser.add_argument("--positive", help="this class against all others (default: that of the run)")
    parser.add_argument("--groups", help="patients or exams, as in fit (default: that of the run)")
    parser.add_argument("--output", metavar="FOLDER", type=Path, help="folder for predictions, metrics and figures")
    arguments = parser.parse_args(argv)
    if arguments.data is None:
        for name in ("label", "positive", "groups", "output"):
            if getattr(arguments, name) is not None:
                raise UserError(f"--{name} needs --data PATH, the new images")
        from keras_radtl.reports.run_text import show_run
        from keras_radtl.runs.run import load_run

        sys.stdout.write(show_run(load_run(arguments.run).directory, splits=("train", "val", "test")))
        return
    if arguments.output is None:
        raise UserError("--data needs --output FOLDER for the predictions, metrics and figures")
    sys.stdout.write(_evaluate(arguments))


def _evaluate(arguments) -> str:
    from keras_radtl.runs.outputs import check_output_folder

    check_output_folder(arguments.output, empty=True)
    from keras_radtl.reports.run_figures import draw_predictions
    from keras_radtl.reports.run_text import metrics_table
    from keras_radtl.runs.directory import METRICS, REJECTED, RunDirectory
    from keras_radtl.runs.files import write_csv, write_json
    from keras_radtl.runs.results import write_predictions
    from keras_radtl.runs.run import load_run

    given = {name: getattr(arguments, name) for name in ("label", "positive", "groups")}
    overrides = {name: value for name, value in given.items() if value is not None}
    run = load_run(arguments.run)
    found = run.evaluate(arguments.data, **overrides)
    folder, parts, metrics = RunDirectory(arguments.output), {NEW: found.predictions}, {NEW: found.values}
    try:
        write_predictions(folder, found.cases, parts)
        write_json(folder / METRICS, metrics)
        if found.rejected:
            write_csv(folder / REJECTED, ["path", "reason"], [[file.path, file.reason] for file in found.rejected])
        draw_predictions(folder, found.cases, parts)
    except BaseException:  # the folder was new or empty, and the same command needs it so
        shutil.rmtree(folder.path, ignore_errors=True)
        raise
    threshold = f"{run.threshold['value']:.3f}" if run.threshold else ""
    return f"\n{metrics_table(metrics, (NEW,), threshold)}\n\nresults:  {arguments.output}\n"


if __name__ == "__main__":
    sys.exit(main())
