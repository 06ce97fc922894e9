"""Check the installation and the machine: `python -m keras_radtl.doctor`.

Checks versions, environment variables, TensorFlow and its devices, weights, disk space, memory and the feature cache.
TensorFlow runs in a process of its own, so that a broken plugin leads to advice and not to a traceback. Every
accelerator is compared with the CPU. The exit code is 0 without problems, else 1.
"""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import make_parser
from keras_radtl.config.wording import as_flags
from keras_radtl.version import __version__


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(_run, argv)


def _run(argv: Sequence[str] | None) -> int:
    parser = make_parser("doctor", "Check the installation, devices, weights, disk space and memory.")
    parser.add_argument("--weights-dir", metavar="FOLDER", type=Path, help="folder of the RadImageNet files")
    arguments = parser.parse_args(argv)
    findings = examine(arguments.weights_dir)
    sys.stdout.write(f"keras_radtl {__version__}\n{as_flags(findings_text(findings))}\n")
    return 1 if any(finding.problem for finding in findings) else 0


def examine(weights_dir: str | Path | None = None) -> list:
    """Return the findings of all checks of this machine.

    Args:
        weights_dir: Folder of the RadImageNet files; None: the folder that the environment names.
    """
    from keras_radtl.diagnostics import checks

    environment = dict(os.environ)
    findings = [*checks.check_versions(), *checks.check_variables(environment)]
    found, messages = checks.probe_devices(environment)
    if found is None:
        findings.append(checks.explain_failure(messages))
    else:
        findings += checks.check_devices(found, shutil.which("nvidia-smi") is not None)
    return [*findings, *checks.check_weights(environment, weights_dir), *checks.check_resources(Path.cwd())]


def findings_text(findings: Iterable) -> str:
    """Return findings as lines: status, topic and text, with the advice below each problem."""
    from keras_radtl.reports.text_table import text_table

    rows, problems = [], 0
    for finding in findings:
        rows.append(("PROBLEM" if finding.problem else "ok", finding.topic, finding.text))
        if finding.problem:
            problems += 1
            rows.append(("", "", f"-> {finding.advice}"))
    summary = f"{problems} problem{'s' * (problems != 1)}" if problems else "no problems"
    return f"{text_table(rows)}\n\n{summary}"


if __name__ == "__main__":
    sys.exit(main())
