"""Predict new images with the models of a run: `python -m keras_radtl.predict RUN IMAGES... --output CSV`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import make_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(_run, argv)


def parser():
    """Return the command's argument parser."""
    parser = make_parser("predict", "Predict new images with a run; the logits of all folds are averaged.")
    parser.add_argument("run", metavar="RUN", help="run directory")
    parser.add_argument("images", metavar="IMAGES", nargs="+", help="image files or folders")
    parser.add_argument("--output", metavar="CSV", help="file to write (default: print to the terminal)")
    return parser


def _run(argv: Sequence[str] | None) -> None:
    arguments = parser().parse_args(argv)
    from keras_radtl.runs.files import csv_cell, write_csv
    from keras_radtl.runs.new_images import list_images, predict_images
    from keras_radtl.runs.trained_model import load_models

    files = list_images(arguments.images)
    found = predict_images(load_models(arguments.run), files)
    columns = ["path", "predicted", *(f"logit_{c}" for c in found.classes), *(f"prob_{c}" for c in found.classes)]
    rows = [
        [path, predicted, *logits, *probabilities]
        for path, predicted, logits, probabilities in zip(
            found.paths, found.predicted, found.logits, found.probabilities, strict=True
        )
    ]
    if arguments.output:
        write_csv(arguments.output, columns, rows)
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([columns, *([csv_cell(value) for value in row] for row in rows)])


if __name__ == "__main__":
    sys.exit(main())
