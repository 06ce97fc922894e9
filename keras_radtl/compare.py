"""Compare models on the same cases: `python -m keras_radtl.compare RUN_A RUN_B [...]`, or prediction CSVs.

Prints a table of AUCs with DeLong intervals and one of all pairs: DeLong's paired test, McNemar's test of the
thresholded predictions and corrected p-values. Draws the ROC curves over each other.
"""

from __future__ import annotations

import logging
import math
import sys
from collections import Counter
from collections.abc import Sequence
from pathlib import Path

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import make_parser
from keras_radtl.config import UserError, require

DEFAULT_OUTPUT = Path("saved_models") / "comparison"
FIGURE, RESULTS = "comparison_roc.png", "comparison.json"
logger = logging.getLogger(__name__)


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(_run, argv)


def parser():
    """Return the command's argument parser."""
    parser = make_parser("compare", "Compare models on the same cases: AUCs, DeLong, McNemar, ROC overlay.")
    parser.add_argument(
        "models", nargs="+", metavar="RUN", help="run directory, or CSV with the columns case,label,score"
    )
    parser.add_argument(
        "--split", choices=("test", "val"), default="test", help="which predictions of a run (default: test)"
    )
    parser.add_argument(
        "--positive", default="", metavar="CLASS", help="this class against the rest; needed above two classes"
    )
    parser.add_argument(
        "--threshold", type=float, default=0.5, help="positive from this score on, for McNemar (default: 0.5)"
    )
    parser.add_argument(
        "--alpha", type=float, default=0.05, help="level of tests; intervals are 1 - alpha (default: 0.05)"
    )
    parser.add_argument(
        "--correction", choices=("holm", "benjamini-hochberg"), default="holm", help="of p over the pairs"
    )
    parser.add_argument(
        "--mcnemar", choices=("corrected", "chi2", "exact"), default="corrected", help="form of the test"
    )
    parser.add_argument(
        "--clustered", action="store_true", help="cases of one group (patient) may depend on each other"
    )
    parser.add_argument(
        "--output", type=Path, metavar="FOLDER", help=f"for {FIGURE} and {RESULTS} (default: {DEFAULT_OUTPUT})"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the results there; the figure goes beside it")
    parser.add_argument("--figure", type=Path, metavar="FILE.png", help="write the ROC curves there")
    return parser


def _run(argv: Sequence[str] | None) -> None:
    arguments = parser().parse_args(argv)
    require(len(arguments.models) > 1, "models", "two or more runs or CSV files", arguments.models)
    require(0 < arguments.alpha < 1, "--alpha", "in (0, 1)", arguments.alpha)
    require(math.isfinite(arguments.threshold), "--threshold", "a finite number", arguments.threshold)
    json_path, figure_path = _outputs(arguments)
    from keras_radtl.reports.model_comparison import comparison_text, draw_overlay, write_comparison
    from keras_radtl.runs.predictions import align, read_scored_cases
    from keras_radtl.stats.model_comparison import compare_models

    models = align([read_scored_cases(path, arguments.split, arguments.positive) for path in arguments.models])
    groups = _groups(models[0], arguments.clustered)
    scores = {name: model.scores for name, model in zip(_names(arguments.models, models), models, strict=True)}
    targets, confidence = models[0].targets, 1 - arguments.alpha
    found = compare_models(
        targets, scores, groups, arguments.threshold, confidence, arguments.correction, arguments.mcnemar
    )
    options = ("split", "alpha", "threshold", "correction", "mcnemar", "clustered")
    write_comparison(json_path, found, {name: getattr(arguments, name) for name in options})
    draw_overlay(figure_path, targets, scores, confidence, groups)
    sys.stdout.write(comparison_text(found, arguments.alpha, arguments.correction))
    sys.stdout.write(f"\nresults:  {json_path}\nfigure:   {figure_path}\n")


def _outputs(arguments) -> tuple[Path, Path]:
    """Return where JSON and figure go."""
    folder = arguments.output or (arguments.json or arguments.figure or DEFAULT_OUTPUT / RESULTS).parent
    json_path, figure_path = arguments.json or folder / RESULTS, arguments.figure or folder / FIGURE
    require(figure_path.suffix.lower() == ".png", "--figure", "a file name that ends in .png", str(figure_path))
    for path in (json_path, figure_path):
        if path.is_dir() or not next(parent for parent in path.absolute().parents if parent.exists()).is_dir():
            raise UserError(
                f"{path} cannot be written: a folder is in the place of the file, or a file in that of a folder"
            )
        if path.resolve() in [Path(model).resolve() for model in arguments.models]:
            raise UserError(f"{path} is an input; name another output")
    return json_path, figure_path


def _groups(model, clustered: bool) -> tuple[str, ...] | None:
    """Return the groups to reckon with, after telling what is left out or taken as independent."""
    if model.targets.all() or not model.targets.any():
        raise UserError(f"{model.source}: all {len(model.targets)} cases have the same label; a comparison needs both")
    if model.left_out:
        logger.info("note: %d cases without a label are left out", model.left_out)
    if clustered and not model.groups:
        raise UserError(f"--clustered: {model.source} has no column 'group'")
    count = len(set(model.groups))
    if count < len(model.groups) and not clustered:
        logger.info("note: %d cases of %d groups are taken as independent; see --clustered", len(model.groups), count)
    return model.groups if clustered else None


def _names(paths: Sequence[str], models) -> list[str]:
    """Return unique names: file or folder names, whole paths where those are equal, a number where these are too."""
    for names in ([model.name for model in models], [str(path) for path in paths]):
        if len(set(names)) == len(names):
            return names
    seen: Counter[str] = Counter()
    seen_names = []
    for name in names:
        seen[name] += 1
        seen_names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return seen_names


if __name__ == "__main__":
    sys.exit(main())
