"""Analyse a table of results: `python -m keras_radtl.analyze TABLE.csv --response test_auc --fixed clf --random ...`.

Prints a linear mixed model with crossed random intercepts (Satterthwaite's degrees of freedom) and Wilcoxon rank sum
tests, and draws a box and scatter plot for every factor. The table is a CSV with one experiment a row, such as `sweep`
writes. Empty cells of a factor are a level of their own, `none`; rows without a response are left out and listed.
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
logger = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(_run, argv)


def parser():
    """Return the command's argument parser."""
    parser = make_parser("analyze", "Mixed model, rank tests and box plots for a table of results.")
    parser.add_argument("table", type=Path, metavar="TABLE.csv", help="one experiment a row, with a header")
    parser.add_argument("--response", required=True, metavar="COLUMN", help="the measure, such as test_auc")
    parser.add_argument(
        "--fixed", type=_names, default=(), metavar="COLUMNS", help="fixed effects, by commas; numbers are a slope"
    )
    parser.add_argument(
        "--random", type=_names, default=(), metavar="COLUMNS", help="factors with random intercepts, by commas"
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
    parser.add_argument("--method", choices=("reml", "ml"), default="reml", help="default: reml")
    parser.add_argument("--rank-by", default="", metavar="COLUMN", help="compare its levels by rank sum tests")
    parser.add_argument("--within", default="", metavar="COLUMN", help="within each level of this column")
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help=f"for the figures (default: that of --json, or {DEFAULT_OUTPUT})"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there")
    return parser


def _run(argv: Sequence[str] | None) -> None:
    arguments = parser().parse_args(argv)
    if arguments.fixed and not arguments.random:
        raise UserError("--fixed needs --random: a mixed model has at least one random factor")
    if not arguments.random and not arguments.rank_by:
        raise UserError("give --random for a mixed model, --rank-by for rank tests, or both")
    if arguments.within and not arguments.rank_by:
        raise UserError("--within needs --rank-by")
    folder = arguments.output or (arguments.json.parent if arguments.json else DEFAULT_OUTPUT)
    _check_outputs(folder, arguments)
    from keras_radtl.reports.analysis import AnalysisSpec, analyze_table
    from keras_radtl.reports.analysis_files import draw_analysis, write_analysis
    from keras_radtl.reports.analysis_text import analysis_text
    from keras_radtl.reports.result_table import read_result_table

    spec = AnalysisSpec(
        response=arguments.response,
        fixed=arguments.fixed,
        random=arguments.random,
        categorical=arguments.categorical,
        reference=dict(map(_reference, arguments.reference)),
        method=arguments.method,
        rank_by=arguments.rank_by,
        within=arguments.within,
    )
    found = analyze_table(read_result_table(arguments.table), spec)
    sys.stdout.write(analysis_text(found))
    if arguments.json:
        write_analysis(arguments.json, found)
        sys.stdout.write(f"\nresults:  {arguments.json}\n")
    figures = draw_analysis(folder, found)
    sys.stdout.write("\n" * (not arguments.json))
    sys.stdout.writelines(f"figure:   {path}\n" for path in figures)
    undrawn = [name for name in (*spec.fixed, *spec.random) if name not in found.samples]
    if undrawn:
        logger.info("note: no figure for %s: too many different values", ", ".join(undrawn))


def _names(text: str) -> tuple[str, ...]:
    """Split a list of columns at commas; each name counts once."""
    return tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))


def _reference(text: str) -> tuple[str, str]:
    name, separator, level = text.partition("=")
    if not separator or not name or not level:
        raise UserError(f"--reference takes COLUMN=LEVEL. Received: {text!r}")
    return name.strip(), level.strip()


def _check_outputs(folder: Path, arguments) -> None:
    """Refuse outputs that could not be written, before anything is computed."""
    for path, is_folder in ((folder, True), *(((arguments.json, False),) if arguments.json else ())):
        there = next(parent for parent in (path.absolute(), *path.absolute().parents) if parent.exists())
        if there.is_dir() != (is_folder or there != path.absolute()):
            raise UserError(f"{path} cannot be written: a file is in the place of a folder, or a folder in that of it")
    if arguments.json and arguments.json.resolve() == arguments.table.resolve():
        raise UserError(f"{arguments.json} is the input; name another output")


if __name__ == "__main__":
    sys.exit(main())
