"""Search for a good configuration: `python -m keras_radtl.tune`.

Hyperband, random or Bayesian search over a declared space. Trials are compared by their validation AUC; the test cases
are not used. The best configuration is written to a file, and `fit --config` reproduces its result.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import add_config_options, config_from, make_parser
from keras_radtl.config import dumps
from keras_radtl.config.wording import as_flags
from keras_radtl.search.settings import ALGORITHMS

SETTINGS = ("algorithm", "max_epochs", "trials", "factor", "min_epochs", "iterations", "keep", "retries")

_EPILOG = """\
a space lists configuration keys with their values, in YAML or JSON:
  model.head.name: [linear, conv]
  model.head.filters: {values: [4, 16], when: {model.head.name: [conv]}}
  model.head.dropout: {low: 0.0, high: 0.6, step: 0.2}
  training.learning_rate: {low: 1e-5, high: 1e-2, log: true}
run the same command again to resume an interrupted search.
"""


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code, 1 when no trial of full length was completed."""
    return run_command(_run, argv)


def parser():
    """Return the command's argument parser."""
    parser = make_parser("tune", "Search for the configuration with the best validation AUC.")
    parser.epilog = _EPILOG
    add = parser.add_argument_group("search").add_argument
    add("--algorithm", choices=ALGORITHMS, default="hyperband", help="(default: %(default)s)")
    text = "search space: a YAML, JSON or Python file, the study `hyperband`, or `default`"
    add("--space", metavar="SPACE", default="default", help=text)
    add("--print-space", action="store_true", help="print the space as a file to edit, and exit")
    add("--max-epochs", type=int, default=9, metavar="N", help="epochs of the longest trials (default: %(default)s)")
    add("--trials", type=int, metavar="N", help="number of trials of a random or Bayesian search (default: 20)")
    add(
        "--factor",
        type=int,
        metavar="N",
        help="hyperband: one trial in N is promoted, to N times the epochs (default: 3)",
    )
    add("--min-epochs", type=int, metavar="N", help="hyperband: epochs of the shortest trials (default: 1)")
    add("--iterations", type=int, metavar="N", help="hyperband: repetitions of the whole algorithm (default: 1)")
    add(
        "--keep",
        type=int,
        default=3,
        metavar="N",
        help="number of best trials whose models are kept (default: %(default)s)",
    )
    add("--retries", type=int, default=1, metavar="N", help="retries of a trial that crashed (default: %(default)s)")
    add = parser.add_argument_group("output").add_argument
    add("--output", metavar="FOLDER", type=Path, help="folder of the search (default: a folder in saved_models/)")
    add("--overwrite", action="store_true", help="replace the search in --output")
    add("--no-reuse", action="store_true", help="recompute the frozen layers in each epoch; the result is the same")
    text = "disk space for the activations of frozen layers (default: %(default)s)"
    add("--feature-cache-size", metavar="GB", type=float, default=8.0, help=text)
    add_config_options(parser)
    return parser


def show(result, config) -> str:
    """Return the best trials, the failed trials, and the command that tests the best one, as text."""
    from keras_radtl.runs.directory import default_output
    from keras_radtl.search.folder import BEST, TABLE
    from keras_radtl.search.trials import rank, show_trials

    lines = ["", show_trials(result.rows, result.keys), ""]
    if rank(result.rows):
        best = result.folder / BEST
        lines += [
            "selected by validation AUC, which is therefore optimistic; the test cases have not been used",
            f"trials:   {result.folder / TABLE}",
            f"best:     {best}",
            f"test it:  python -m keras_radtl.fit --config {best} --output {default_output(config)}-best",
            "",
        ]
    return "\n".join(lines)


def _run(argv: Sequence[str] | None) -> int:
    arguments = parser().parse_args(argv)
    config = config_from(arguments, default="quickstart")  # whose values a search can vary
    if arguments.print_config:
        sys.stdout.write(dumps(config))
        return 0
    if arguments.print_space:
        import yaml

        from keras_radtl.studies.table import get_space

        sys.stdout.write(yaml.safe_dump(get_space(arguments.space, config).to_dict(), sort_keys=False))
        return 0
    from keras_radtl.studies.search import run_search

    result = run_search(
        config,
        arguments.output,
        space=arguments.space,
        overwrite=arguments.overwrite,
        reuse=not arguments.no_reuse,
        feature_cache_size=arguments.feature_cache_size,
        **{name: getattr(arguments, name) for name in SETTINGS},
    )
    sys.stdout.write(as_flags(show(result, config)))
    if result.problem:
        sys.stdout.flush()
        sys.stderr.write(as_flags(f"incomplete: {result.problem}\n"))
    return 1 if result.problem else 0


if __name__ == "__main__":
    sys.exit(main())
