"""Check images and labels before training on them: `python -m keras_radtl.audit PATH`.

Reports classes, groups, files that cannot be used, identical images, identical images with different labels, images
that look alike, and whether the configured split is possible. Takes the options of `fit`. The exit code is 0 whatever
was found, and 2 if the data cannot be read.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import add_config_options, config_from, make_parser
from keras_radtl.config import UserError, dumps
from keras_radtl.config.wording import as_flags


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(_run, argv)


def parser():
    """Return the command's argument parser."""
    parser = make_parser("audit", "Check images and labels: duplicates, label conflicts, bad files, groups, split.")
    parser.add_argument("path", nargs="?", help="same as --data")
    parser.add_argument("--limit", type=int, default=20, help="findings listed of each kind (default: 20)")
    parser.add_argument(
        "--distance", type=int, default=2, help="bits of 63 in which look-alikes may differ (default: 2)"
    )
    add_config_options(parser)
    return parser


def _run(argv: Sequence[str] | None) -> None:
    arguments = parser().parse_args(argv)
    if arguments.path is not None:
        if getattr(arguments, "data.path") is not None:
            raise UserError("Give the data as PATH or with --data, not both")
        setattr(arguments, "data.path", arguments.path)
    config = config_from(arguments)
    if arguments.print_config:
        sys.stdout.write(dumps(config))
        return
    from keras_radtl.data.audit import audit_images

    report = audit_images(config, limit=arguments.limit, distance=arguments.distance)
    sys.stdout.write(as_flags(f"{report}\n"))


if __name__ == "__main__":
    sys.exit(main())
