"""Look over the installation and the machine: `python -m keras_radtl.doctor`.

Versions, environment variables, TensorFlow and its devices (in a process of its own, so that a broken plugin gives
advice and no traceback), a self-test of each accelerator against the CPU, weights, disk, memory and the feature cache.
Exit code 0 when all is well, 1 when something must be put right.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from keras_radtl import __version__
from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import make_parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(_run, argv)


def _run(argv: Sequence[str] | None) -> int:
    parser = make_parser("doctor", "Look over the installation, the devices, the weights and the room there is.")
    parser.add_argument("--weights-dir", metavar="FOLDER", help="folder of the RadImageNet files")
    arguments = parser.parse_args(argv)
    findings = examine(arguments.weights_dir)
    sys.stdout.write(f"keras_radtl {__version__}\n{show(findings)}\n")
    return 1 if any(finding.problem for finding in findings) else 0


def examine(weights_dir: str | None = None) -> list:
    """Return all findings on this machine."""
    from keras_radtl.diagnostics import checks as diagnosis

    environment = dict(os.environ)
    findings = [*diagnosis.check_versions(), *diagnosis.check_variables(environment)]
    found, said = diagnosis.ask_child(environment)
    if found is None:
        findings.append(diagnosis.explain_failure(said))
    else:
        findings += diagnosis.check_devices(found, shutil.which("nvidia-smi") is not None)
    return [*findings, *diagnosis.check_weights(environment, weights_dir), *diagnosis.check_room(Path.cwd())]


def show(findings: Iterable) -> str:
    """Return findings as lines: a mark, the topic, what was found and, below, what to do about a problem."""
    findings = list(findings)
    width, lines = max(len(finding.topic) for finding in findings), []
    for finding in findings:
        lines.append(f"{'PROBLEM' if finding.problem else 'ok     '}  {finding.topic.ljust(width)}  {finding.text}")
        lines += [f"{'':{width + 11}}-> {finding.advice}"] if finding.problem else []
    problems = sum(finding.problem for finding in findings)
    return "\n".join([*lines, "", f"{problems} problem(s)" if problems else "all is well"])


if __name__ == "__main__":
    sys.exit(main())
