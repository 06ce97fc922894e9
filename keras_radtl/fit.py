"""Train, test and describe a classifier: `python -m keras_radtl.fit`.

Without arguments it trains on simulated breast-ultrasound images (preset `quickstart`). The results are in the run
directory that the command names at its end.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import add_config_options, config_from, make_parser
from keras_radtl.config import Config, dumps

RUNS = Path("saved_models")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(_run, argv)


def parser():
    """Return the command's argument parser."""
    parser = make_parser("fit", "Train, test and describe a classifier on medical images.")
    group = parser.add_argument_group("output")
    group.add_argument("--output", metavar="FOLDER", type=Path, help=f"run directory (default: a folder in {RUNS}/)")
    group.add_argument(
        "--resume", action="store_true", help="go on with an unfinished run, or show a finished one again"
    )
    group.add_argument("--overwrite", action="store_true", help="replace the run that stands in --output")
    group.add_argument(
        "--tensorboard", action="store_true", help="also write TensorBoard scalars (needs the extra of that name)"
    )
    group.add_argument("--no-reuse", action="store_true", help="compute frozen layers anew in every epoch; same result")
    group.add_argument(
        "--feature-cache-size", metavar="GB", type=float, default=8.0, help="for frozen layers (default: %(default)s)"
    )
    group.add_argument(
        "--feature-dtype", metavar="TYPE", default="float32", help="float32, or float16: half the space, small error"
    )
    add_config_options(parser)
    return parser


def default_output(config: Config) -> Path:
    """Return the folder in which a run goes that names none: the same for the same configuration."""
    from keras_radtl.runs.directory import config_hash

    if config.data.path == "phantoms":
        name = config.preset
    else:
        name = re.sub(r"[^A-Za-z0-9]+", "-", Path(config.data.path).stem).strip("-").lower() or "data"
    return RUNS / f"{name}-{config_hash(config)[:6]}"


def _run(argv: Sequence[str] | None) -> None:
    arguments = parser().parse_args(argv)
    config = config_from(arguments)
    if arguments.print_config:
        sys.stdout.write(dumps(config))
        return
    from keras_radtl.training.run_options import RunOptions
    from keras_radtl.training.train import train

    request = RunOptions(
        arguments.output or default_output(config),
        resume=arguments.resume,
        overwrite=arguments.overwrite,
        tensorboard=arguments.tensorboard,
        reuse=not arguments.no_reuse,
        feature_cache_gb=arguments.feature_cache_size,
        feature_dtype=arguments.feature_dtype,
    )
    run = train(config, request)
    from keras_radtl.reports.run_text import show_run

    sys.stdout.write(show_run(run))


if __name__ == "__main__":
    sys.exit(main())
