"""List the commands: `python -m keras_radtl`; run a command: `keras-radtl COMMAND ...`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from keras_radtl.version import __version__

COMMANDS = {
    "fit": "train, test and describe a classifier",
    "baseline": "train a lasso, logistic regression or probe, or run a simulation",
    "evaluate": "show the metrics of a run, or evaluate it on other labelled images",
    "predict": "predict new images with a run",
    "audit": "check images and labels: duplicates, label conflicts, unusable files, groups",
    "compare": "paired tests between runs or prediction files",
    "analyze": "mixed model and rank tests on a table of results",
    "sweep": "train a list of runs with shared computations, and compare them",
    "tune": "search for the configuration with the best validation AUC",
    "phantoms": "write simulated breast-ultrasound images as a folder",
    "models": "list backbones, their layer groups and weights",
    "doctor": "check the installation, devices, weights and disk space",
}


def main(argv: Sequence[str] | None = None) -> int:
    """List the commands, or run one; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, COMMANDS))
        print(f"keras_radtl {__version__}: transfer learning on medical images\n")
        print("\n".join(f"  {name.ljust(width)}  {text}" for name, text in COMMANDS.items()))
        print("\npython -m keras_radtl.COMMAND --help shows the options of a command")
        return 0
    if arguments[0] == "--version":
        print(f"keras_radtl {__version__}")
        return 0
    if arguments[0] not in COMMANDS:
        print(f"error: Unknown command {arguments[0]!r}. Known: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    module = "keras_radtl.models.__main__" if arguments[0] == "models" else f"keras_radtl.{arguments[0]}"
    return import_module(module).main(arguments[1:])


if __name__ == "__main__":
    sys.exit(main())
