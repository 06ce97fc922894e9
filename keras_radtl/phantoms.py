"""Write simulated breast-ultrasound images as a folder: `python -m keras_radtl.phantoms OUT --count 780`.

The folder has class folders of PNG files with the file names of the BUSI data set, a mask for each image, and
`phantoms.csv` with path, label, patient and mask. `fit --data` reads both OUT/phantoms.csv and OUT. Only the former
keeps the images of a patient in the same part of a split, because the folder alone does not define patients.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import make_parser
from keras_radtl.config import PhantomConfig


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command and return the exit code."""
    return run_command(_run, argv)


def parser() -> argparse.ArgumentParser:
    """Return the command's argument parser."""
    default = PhantomConfig()
    parser = make_parser(
        "phantoms", "Write simulated breast-ultrasound images with known class, patient and lesion mask."
    )
    parser.add_argument("folder", metavar="OUT", type=Path, help="folder to make; it may exist if it is empty")
    parser.add_argument("--count", type=int, default=default.count, help="number of images (default: %(default)s)")
    parser.add_argument(
        "--image-size", type=int, default=default.image_size, help="height and width in pixels (default: %(default)s)"
    )
    parser.add_argument(
        "--difficulty",
        type=float,
        default=default.difficulty,
        help="0: benign and malignant differ clearly, 1: no difference (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=default.seed, help="random seed (default: %(default)s)")
    masks = argparse.BooleanOptionalAction
    parser.add_argument("--masks", action=masks, default=True, help="write NAME_mask.png files, 255 inside the lesion")
    parser.add_argument("--overwrite", action="store_true", help="replace a folder written by this command")
    return parser


def _run(argv: Sequence[str] | None) -> None:
    arguments = parser().parse_args(argv)
    config = PhantomConfig(arguments.count, arguments.image_size, arguments.difficulty, arguments.seed)
    from keras_radtl.data.phantoms.generate import INDEX_FILE, write_phantoms
    from keras_radtl.runs.outputs import check_output_folder

    check_output_folder(arguments.folder, "folder")
    count = write_phantoms(arguments.folder, config, arguments.masks, arguments.overwrite)
    sys.stdout.write(f"{count} images in {arguments.folder}, labels and patients in {arguments.folder / INDEX_FILE}\n")


if __name__ == "__main__":
    sys.exit(main())
