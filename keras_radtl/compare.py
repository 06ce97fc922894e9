"""Compare models on the same cases: `python -m keras_radtl.compare RUN_A RUN_B [...]`, or CSVs of predictions.

Prints a table of AUCs with DeLong intervals, and one of all pairs with DeLong's paired test, McNemar's test of the
thresholded predictions and corrected p-values. Draws the ROC curves of all models in one figure. With `--clustered`,
all intervals and tests allow for cases of a patient that depend on each other.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import make_parser
from keras_radtl.config import require

DEFAULT_OUTPUT = Path("saved_models") / "comparison"
FIGURE, RESULTS = "comparison_roc.png", "comparison.json"
OPTIONS = ("positive", "split", "alpha", "correction", "mcnemar", "clustered", "threshold", "auc_scale")


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(_run, argv)


def parser():
    """Return the command's argument parser."""
    parser = make_parser("compare", "Compare models on the same cases: AUCs, DeLong, McNemar, ROC curves.")
    parser.add_argument(
        "models", nargs="+", metavar="RUN", help="finished run, or CSV with the columns case,label,score"
    )
    parser.add_argument(
        "--split", choices=("test", "val"), default="test", help="predictions of a run to compare (default: test)"
    )
    parser.add_argument(
        "--positive", default="", metavar="CLASS", help="this class against the rest; needed for more than two classes"
    )
    parser.add_argument(
        "--threshold",
        type=float,
        default=0.5,
        help="lowest score predicted positive in McNemar's test; 0 for logits (default: 0.5)",
    )
    parser.add_argument(
        "--alpha", type=float, default=0.05, help="significance level; intervals are 1 - alpha (default: 0.05)"
    )
    parser.add_argument(
        "--correction",
        choices=("holm", "benjamini-hochberg"),
        default="holm",
        help="correction of p for the number of pairs (default: holm)",
    )
    parser.add_argument(
        "--mcnemar",
        choices=("corrected", "chi2", "exact"),
        default="corrected",
        help="form of McNemar's test (default: corrected)",
    )
    parser.add_argument(
        "--clustered", action="store_true", help="cases of one group (patient) may depend on each other"
    )
    parser.add_argument(
        "--auc-scale",
        choices=("logit", "plain"),
        default="logit",
        help="scale on which the intervals of the AUCs are symmetric (default: logit)",
    )
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help=f"for {FIGURE} and {RESULTS} (default: {DEFAULT_OUTPUT})"
    )
    parser.add_argument(
        "--json", type=Path, metavar="FILE", help="write the results to FILE, and the figure to its folder"
    )
    parser.add_argument("--figure", type=Path, metavar="FILE.png", help="write the ROC curves to FILE.png")
    return parser


def _run(argv: Sequence[str] | None) -> None:
    arguments = parser().parse_args(argv)
    json_path, figure_path = _outputs(arguments)
    from keras_radtl.reports.model_comparison import compare_models, draw_roc_overlay, write_model_comparison

    found = compare_models(*arguments.models, **{name: getattr(arguments, name) for name in OPTIONS})
    write_model_comparison(json_path, found)
    draw_roc_overlay(figure_path, found)
    sys.stdout.write(f"{found}\n\nresults:  {json_path}\nfigure:   {figure_path}\n")


def _outputs(arguments) -> tuple[Path, Path]:
    """Return the paths of the JSON and the figure.

    Raises:
        UserError: if one of them cannot be written, or is an input.
    """
    from keras_radtl.runs.outputs import check_output_file, check_output_folder

    if arguments.output is not None:
        check_output_folder(arguments.output)
    folder = arguments.output or (arguments.json or arguments.figure or DEFAULT_OUTPUT / RESULTS).parent
    json_path, figure_path = arguments.json or folder / RESULTS, arguments.figure or folder / FIGURE
    require(figure_path.suffix.lower() == ".png", "--figure", "a file name that ends in .png", str(figure_path))
    for name, path in (("json", json_path), ("figure", figure_path)):
        check_output_file(path, name if getattr(arguments, name) else "output", arguments.models)
    require(json_path.resolve() != figure_path.resolve(), "--figure", "another file than --json", str(figure_path))
    return json_path, figure_path


if __name__ == "__main__":
    sys.exit(main())
