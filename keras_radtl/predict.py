"""Predict new images with the model of a run: `python -m keras_radtl.predict RUN IMAGES... --output CSV`.

With `--on-bad-image skip`, files that cannot be used are listed with their reasons in CSV_rejected.csv, beside the CSV.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import make_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(_run, argv)


def parser():
    """Return the command's argument parser."""
    parser = make_parser("predict", "Predict new images with the model of a run; the models of all folds are averaged.")
    parser.add_argument("run", metavar="RUN", help="run directory")
    parser.add_argument("images", metavar="IMAGES", nargs="+", help="image files or folders")
    parser.add_argument("--output", metavar="CSV", help="file to write (default: print to the terminal)")
    parser.add_argument("--overwrite", action="store_true", help="replace the file in --output")
    text = "skip files that cannot be used, and list them beside --output as NAME_rejected.csv (default: error)"
    parser.add_argument("--on-bad-image", metavar="POLICY", choices=("error", "skip"), default="error", help=text)
    return parser


def _run(argv: Sequence[str] | None) -> None:
    arguments = parser().parse_args(argv)
    from keras_radtl.runs.new_images import list_images, predict_images
    from keras_radtl.runs.trained_model import load_models

    _check_outputs(arguments)
    files = list_images(arguments.images)
    found = predict_images(load_models(arguments.run), files, arguments.on_bad_image)
    kinds = ("logit", "prob") if found.spread is None else ("logit", "prob", "sd")
    columns = ["path", "predicted", *(f"{kind}_{name}" for kind in kinds for name in found.classes)]
    numbers = [values for values in (found.logits, found.probabilities, found.spread) if values is not None]
    rows = [
        [path, predicted, *(value for values in numbers for value in values[row])]
        for row, (path, predicted) in enumerate(zip(found.paths, found.predicted, strict=True))
    ]
    rejected = [[file.path, file.reason] for file in found.rejected]
    _write(arguments.output, columns, rows, rejected, arguments.on_bad_image)


def _check_outputs(arguments) -> None:
    """Refuse outputs that cannot be written or replace a file, before any image is read."""
    from keras_radtl.runs.outputs import check_output_file

    if arguments.output is not None:
        paths = [arguments.output]
        paths += [str(rejected_path(arguments.output))] if arguments.on_bad_image == "skip" else []
        for path in paths:
            check_output_file(path, inputs=[arguments.run, *arguments.images], overwrite=arguments.overwrite)


def rejected_path(output: str | Path) -> Path:
    """Return the path of the table of skipped files: `new_rejected.csv` for `new.csv`."""
    path = Path(output)
    return path.with_name(f"{path.stem}_rejected.csv")


def _write(output: str | None, columns: list, rows: list, rejected: list, policy: str) -> None:
    from keras_radtl.runs.files import csv_cell, write_csv

    if output is None:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([columns, *([csv_cell(value) for value in row] for row in rows)])
        return
    skipped = rejected_path(output)
    if rejected:
        write_csv(skipped, ["path", "reason"], rejected)
    write_csv(output, columns, rows)
    if not rejected and policy == "skip":
        skipped.unlink(missing_ok=True)  # of the predictions that were replaced
    sys.stdout.write(f"{len(rows)} image{'s' * (len(rows) != 1)} -> {output}\n")
    if rejected:
        sys.stdout.write(f"{len(rejected)} image{'s' * (len(rejected) != 1)} skipped -> {skipped}\n")


if __name__ == "__main__":
    sys.exit(main())
