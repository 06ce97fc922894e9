"""Analyze a table of results: `python -m keras_radtl.analyze TABLE.csv --response test_auc --fixed clf --random ...`.

Prints a linear mixed model with crossed random intercepts (Satterthwaite's degrees of freedom) and Wilcoxon rank sum
tests, and draws a box and scatter plot for every factor. The table is a CSV with one experiment per row, such as the
`results.csv` of `sweep`. Rows with an empty cell in a column of an analysis are excluded from it and listed, as in R.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import make_parser
from keras_radtl.config import UserError

DEFAULT_OUTPUT = Path("saved_models") / "analysis"
OPTIONS = ("response", "fixed", "random", "categorical", "method", "rank_by", "within")
logger = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(_run, argv)


def parser():
    """Return the command's argument parser."""
    parser = make_parser("analyze", "Mixed model, rank tests and box plots for a table of results.")
    parser.add_argument("table", type=Path, metavar="TABLE.csv", help="CSV with a header and one experiment per row")
    parser.add_argument("--response", required=True, metavar="COLUMN", help="measured quantity, such as test_auc")
    parser.add_argument(
        "--fixed",
        type=_names,
        default=(),
        metavar="COLUMNS",
        help="fixed effects, separated by commas; numbers are a slope",
    )
    parser.add_argument(
        "--random",
        type=_names,
        default=(),
        metavar="COLUMNS",
        help="factors with random intercepts, separated by commas",
    )
    parser.add_argument(
        "--categorical", type=_names, default=(), metavar="COLUMNS", help="fixed effects whose numbers are levels"
    )
    parser.add_argument(
        "--reference",
        action="append",
        default=[],
        metavar="COLUMN=LEVEL",
        help="reference level of a fixed factor (default: first in sorted order); may be repeated",
    )
    parser.add_argument(
        "--method", choices=("reml", "ml"), default="reml", help="estimation of the mixed model (default: reml)"
    )
    parser.add_argument(
        "--rank-by", default="", metavar="COLUMN", help="compare the levels of this column by rank sum tests"
    )
    parser.add_argument(
        "--within", default="", metavar="COLUMN", help="run the rank sum tests within each level of this column"
    )
    parser.add_argument(
        "--output",
        type=Path,
        metavar="FOLDER",
        help=f"folder of the figures (default: the folder of --json, or {DEFAULT_OUTPUT})",
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results to FILE")
    return parser


def _run(argv: Sequence[str] | None) -> None:
    arguments = parser().parse_args(argv)
    folder = arguments.output or (arguments.json.parent if arguments.json else DEFAULT_OUTPUT)
    _check_outputs(folder, arguments)
    from keras_radtl.reports.analysis import analyze_table
    from keras_radtl.reports.analysis_files import draw_analysis, write_analysis

    options = {name: getattr(arguments, name) for name in OPTIONS}
    found = analyze_table(arguments.table, reference=dict(map(_reference, arguments.reference)), **options)
    sys.stdout.write(f"{found}\n")
    if arguments.json:
        write_analysis(arguments.json, found)
        sys.stdout.write(f"\nresults:  {arguments.json}\n")
    figures = draw_analysis(folder, found)
    if not arguments.json:
        sys.stdout.write("\n")
    sys.stdout.writelines(f"figure:   {path}\n" for path in figures)
    undrawn = [name for name in found.spec.factors if name not in found.samples]
    if undrawn:
        logger.info("note: no figure for %s: too many levels", ", ".join(undrawn))


def _names(text: str) -> tuple[str, ...]:
    """Split a list of columns at commas and drop repeated names."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _reference(text: str) -> tuple[str, str]:
    name, separator, level = text.partition("=")
    if not separator or not name or not level:
        raise UserError(f"--reference takes COLUMN=LEVEL. Received: {text!r}")
    return name.strip(), level.strip()


def _check_outputs(folder: Path, arguments) -> None:
    """Refuse outputs that cannot be written, before anything is computed."""
    from keras_radtl.runs.outputs import check_output_file, check_output_folder

    check_output_folder(folder)
    if arguments.json is not None:
        check_output_file(arguments.json, "json", [arguments.table])


if __name__ == "__main__":
    sys.exit(main())
