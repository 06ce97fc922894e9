"""Predict new images with the model of a run: `python -m keras_radtl.predict RUN IMAGES... --output CSV`."""

from __future__ import annotations

import csv
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import make_parser
from keras_radtl.config import UserError

SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(_run, argv)


def list_images(paths: Sequence[str]) -> list[str]:
    """Return the image files that are named, in order; a folder stands for the images in it, sorted by path.

    Raises:
        UserError: for a path that is not there and a folder without images.
    """
    files = []
    for path in map(Path, paths):
        if path.is_dir():
            found = sorted(str(f) for f in path.rglob("*") if f.suffix.lower() in SUFFIXES and f.is_file())
            if not found:
                raise UserError(f"{path} holds no image ({', '.join(SUFFIXES)})")
            files += found
        elif path.is_file():
            files.append(str(path))
        else:
            raise UserError(f"No such file or folder: {path}")
    return files


def _table(files: Sequence[str]):
    from keras_radtl.data.table import CaseTable

    names = tuple(f"{i:06d}" for i in range(len(files)))
    unknown = np.full(len(files), -1, np.int32)
    return CaseTable("new images", Path(), names, tuple(files), names, ("-", "+"), unknown)


def _run(argv: Sequence[str] | None) -> None:
    parser = make_parser("predict", "Probabilities of new images by the model of a run; folds are averaged.")
    parser.add_argument("run", metavar="RUN", help="run directory")
    parser.add_argument("images", metavar="IMAGES", nargs="+", help="image files or folders")
    parser.add_argument("--output", metavar="CSV", help="file to write (default: to the terminal)")
    arguments = parser.parse_args(argv)
    files = list_images(arguments.images)
    from keras_radtl.models.probabilities import to_probabilities
    from keras_radtl.runs.files import csv_cell, write_csv
    from keras_radtl.runs.progress import Progress
    from keras_radtl.runs.trained_model import load_run

    run = load_run(arguments.run)
    with Progress("images", len(files)) as progress:
        pixels = run.read(_table(files), progress.update)
    with Progress("predicting", len(files) * len(run.models)) as progress:
        logits = run.logits(pixels, progress.advance)
    probabilities = to_probabilities(logits, run.multilabel)
    columns = ["path", "predicted", *(f"logit_{c}" for c in run.classes), *(f"prob_{c}" for c in run.classes)]
    rows = [[f, _label(run, p), *z, *p] for f, z, p in zip(files, logits, probabilities, strict=True)]
    if arguments.output:
        write_csv(arguments.output, columns, rows)
    else:
        writer = csv.writer(sys.stdout, lineterminator="\n")
        writer.writerows([columns, *([csv_cell(value) for value in row] for row in rows)])


def _label(run, probabilities: np.ndarray) -> str:
    if run.multilabel:
        return ";".join(name for name, probability in zip(run.classes, probabilities, strict=True) if probability > 0.5)
    return run.classes[int(probabilities.argmax())]


if __name__ == "__main__":
    sys.exit(main())
