"""The list of commands: `python -m keras_radtl`, or run one: `keras-radtl COMMAND ...`."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from importlib import import_module

from keras_radtl.version import __version__

COMMANDS = {
    "fit": "train, test and describe a classifier",
    "evaluate": "show a run's figures again, or judge its model on new labelled images",
    "predict": "probabilities of new images, by a run's model",
    "audit": "check images and labels: duplicates, conflicts, bad files, groups",
    "compare": "paired tests between runs or prediction files",
    "analyze": "mixed model and rank tests on a table of results",
    "sweep": "execute a list of runs, sharing their work, and compare them",
    "tune": "search for the configuration with the best validation AUC",
    "phantoms": "write simulated breast-ultrasound images as a folder",
    "models": "list backbones, their layer groups and weights",
    "doctor": "look over the installation, devices, weights and room",
}


def main(argv: Sequence[str] | None = None) -> int:
    """List the commands, or run the one that is named; returns the exit code."""
    arguments = list(sys.argv[1:] if argv is None else argv)
    if not arguments or arguments[0] in ("-h", "--help"):
        width = max(map(len, COMMANDS))
        print(f"keras_radtl {__version__}: transfer learning on medical images\n")
        print("\n".join(f"  {name.ljust(width)}  {text}" for name, text in COMMANDS.items()))
        print("\npython -m keras_radtl.COMMAND --help tells the options of one")
        return 0
    if arguments[0] == "--version":
        print(f"keras_radtl {__version__}")
        return 0
    if arguments[0] not in COMMANDS:
        print(f"error: Unknown command `{arguments[0]}`. Known: {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    module = "keras_radtl.models.__main__" if arguments[0] == "models" else f"keras_radtl.{arguments[0]}"
    return import_module(module).main(arguments[1:])


if __name__ == "__main__":
    sys.exit(main())
