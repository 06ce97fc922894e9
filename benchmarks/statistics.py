"""Seconds of our statistics beside those of R, on the same data in one run: DeLong (pROC), mixed models (lme4).

    python benchmarks/statistics.py
    python benchmarks/statistics.py --cases 100000 --rows 20000 --json result.json

Both sides get the data in memory; reading files and starting R do not count. Ours and R's passes follow each other, and
the fastest of each counts, since another job on the machine can only make a pass slower. lme4 is timed twice: the fit
alone, and the fit with lmerTest's Satterthwaite degrees of freedom, which ours always includes. Without Rscript (or one
of the packages) only our times are shown.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import tempfile
import time
from pathlib import Path

import numpy as np

R_DELONG = """
suppressMessages(library(pROC))
d <- read.csv("{path}")
for (i in 1:{passes}) {{
  start <- proc.time()[["elapsed"]]
  a <- roc(d$label, d$a, quiet = TRUE, direction = "<")
  b <- roc(d$label, d$b, quiet = TRUE, direction = "<")
  test <- roc.test(a, b, method = "delong", paired = TRUE)
  cat("pROC", proc.time()[["elapsed"]] - start, format(test$p.value, digits = 12), "\\n")
}}
"""

R_MIXED = """
suppressMessages({{library(lme4); library(lmerTest)}})
d <- read.csv("{path}", stringsAsFactors = TRUE)
for (i in 1:{passes}) {{
  start <- proc.time()[["elapsed"]]
  m <- lme4::lmer({formula}, data = d)
  cat("lme4", proc.time()[["elapsed"]] - start, format(REMLcrit(m), digits = 12), "\\n")
  start <- proc.time()[["elapsed"]]
  m <- lmerTest::lmer({formula}, data = d)
  table <- summary(m)$coefficients
  cat("lme4+lmerTest", proc.time()[["elapsed"]] - start, format(REMLcrit(m), digits = 12), "\\n")
}}
"""


def delong_case(cases: int, folder: Path):
    """Make two correlated scores; return our test as a function, and R's script without its number of passes."""
    from keras_radtl.stats.delong_tests import delong_test

    rng = np.random.default_rng(0)
    labels = rng.random(cases) < 0.3
    shared = rng.normal(size=cases)
    a, b = (np.round(shared + rng.normal(size=cases) + shift * labels, 4) for shift in (1.0, 1.05))
    path = folder / "delong.csv"
    np.savetxt(path, np.column_stack([labels, a, b]), "%g", ",", header="label,a,b", comments="")
    return lambda: delong_test(labels.astype(int), a, b).p, R_DELONG, {"path": path}


def mixed_case(rows: int, folder: Path):
    """Make a table with three crossed factors; return our fit as a function, and R's script."""
    from keras_radtl.stats.mixed_model import fit_mixed_model

    rng = np.random.default_rng(1)
    levels = {"patient": max(rows // 22, 3), "reader": 45, "site": 6}
    random = {name: rng.integers(0, count, rows) for name, count in levels.items()}
    model = rng.integers(0, 4, rows)
    y = 0.1 * model + sum(rng.normal(0, 0.4, levels[name])[codes] for name, codes in random.items())
    y = np.round(y + rng.normal(size=rows), 4)
    columns = {name: np.char.add(name[0], codes.astype(str)) for name, codes in random.items()}
    columns["model"] = np.char.add("m", model.astype(str))
    path = folder / "mixed.csv"
    lines = [",".join(("y", *columns)), *(",".join(map(str, row)) for row in zip(y, *columns.values(), strict=True))]
    path.write_text("\n".join(lines) + "\n")
    fixed, crossed = {"model": columns.pop("model").tolist()}, {k: v.tolist() for k, v in columns.items()}
    formula = "y ~ model + " + " + ".join(f"(1 | {name})" for name in crossed)
    return lambda: fit_mixed_model(y, fixed, crossed).criterion, R_MIXED, {"path": path, "formula": formula}


def seconds(function, passes: int) -> tuple[float, float]:
    """Return the fastest of some passes and what the function returned."""
    best = np.inf
    for _ in range(passes):
        start = time.perf_counter()
        value = function()
        best = min(best, time.perf_counter() - start)
    return best, value


def r_seconds(script: str, passes: int) -> dict[str, tuple[float, float]]:
    """Run an R script that prints "name seconds value" lines; return the fastest pass and the value by name."""
    run = subprocess.run(["Rscript", "--vanilla", "-e", script], capture_output=True, text=True)
    if run.returncode:
        print(f"R could not run: {run.stderr.strip().splitlines()[-1]}")
        return {}
    found: dict[str, tuple[float, float]] = {}
    for name, elapsed, value in (line.split() for line in run.stdout.splitlines() if line.strip()):
        found[name] = min(found.get(name, (np.inf, 0.0)), (float(elapsed), float(value)))
    return found


def main() -> None:
    """Time both tasks and print one line per peer."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000, help="cases of the DeLong test")
    parser.add_argument("--rows", type=int, default=20_000, help="rows of the mixed model")
    parser.add_argument("--passes", type=int, default=3)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    with_r, results = shutil.which("Rscript") is not None, []
    print(f"{'task':38}{'peer':16}{'ours s':>9}{'peer s':>9}{'ratio':>8}  same result")
    with tempfile.TemporaryDirectory() as name:
        tasks = {
            f"DeLong, paired, {arguments.cases} cases": delong_case(arguments.cases, Path(name)),
            f"mixed model, REML, {arguments.rows} rows": mixed_case(arguments.rows, Path(name)),
        }
        for task, (function, script, values) in tasks.items():
            before, value = seconds(function, arguments.passes)
            peers = r_seconds(script.format(passes=arguments.passes, **values), arguments.passes) if with_r else {}
            ours = min(before, seconds(function, arguments.passes)[0])
            for peer, (theirs, their_value) in (peers or {"-": (None, None)}).items():
                same = their_value is not None and bool(np.isclose(value, their_value, rtol=1e-6))
                ratio = theirs and theirs / ours
                results.append(
                    {"task": task, "peer": peer, "ours_s": ours, "peer_s": theirs, "ratio": ratio, "same": same}
                )
                shown = f"{theirs:9.3f}{ratio:8.1f}  {'yes' if same else 'NO'}" if theirs else ""
                print(f"{task:38}{peer:16}{ours:9.4f}{shown}")
    if not with_r:
        print("Rscript is not here: only our times are shown")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
