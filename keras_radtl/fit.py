"""Train, test and describe a classifier: `python -m keras_radtl.fit`.

Without options it trains on simulated breast-ultrasound images (preset `quickstart`). The results are written to a run
directory, whose path is printed at the end.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import add_config_options, config_from, make_parser
from keras_radtl.config import dumps
from keras_radtl.runs.directory import RUNS, default_output
from keras_radtl.training.run_options import RunOptions


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(_run, argv)


def parser():
    """Return the command's argument parser."""
    parser = make_parser("fit", "Train, test and describe a classifier on medical images.")
    add = parser.add_argument_group("output").add_argument
    add("--output", metavar="FOLDER", type=Path, help=f"run directory (default: a folder in {RUNS}/)")
    add("--resume", action="store_true", help="resume an unfinished run, or show a finished one again")
    add("--overwrite", action="store_true", help="replace the run in --output")
    add("--tensorboard", action="store_true", help="also write TensorBoard scalars (needs the extra `tensorboard`)")
    add("--no-reuse", action="store_true", help="recompute the frozen layers in each epoch; the result is the same")
    text = "disk space for the activations of frozen layers (default: %(default)s)"
    add("--feature-cache-size", metavar="GB", type=float, default=8.0, help=text)
    text = "float32, or float16 for half the disk space and a small error (default: %(default)s)"
    add("--feature-dtype", metavar="TYPE", default="float32", help=text)
    add_config_options(parser)
    return parser


def _run(argv: Sequence[str] | None) -> None:
    arguments = parser().parse_args(argv)
    config = config_from(arguments)
    options = RunOptions(
        arguments.output or default_output(config),
        resume=arguments.resume,
        overwrite=arguments.overwrite,
        tensorboard=arguments.tensorboard,
        reuse=not arguments.no_reuse,
        feature_cache_size=arguments.feature_cache_size,
        feature_dtype=arguments.feature_dtype,
    )
    if arguments.print_config:
        sys.stdout.write(dumps(config))
        return
    from keras_radtl.reports.run_text import show_run
    from keras_radtl.training.train import train_run

    sys.stdout.write(show_run(train_run(config, options)))


if __name__ == "__main__":
    sys.exit(main())
