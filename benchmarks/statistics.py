"""Compare the run time of DeLong's test and mixed models with that of R (pROC, lme4) on the same data.

    python benchmarks/statistics.py
    python benchmarks/statistics.py --cases 100000 --rows 20000 --json result.json

The times exclude starting R and reading files. keras_radtl and R run alternately, and the fastest pass of each is
reported, because other processes can only slow a pass down. lme4 is timed twice: the fit alone, and the fit with
lmerTest's Satterthwaite degrees of freedom, which keras_radtl always computes. Without Rscript or the R packages, only
the times of keras_radtl are reported.
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
    """Generate two correlated scores; return our test, the R script and its arguments."""
    from keras_radtl.stats.delong_tests import delong_test

    rng = np.random.default_rng(0)
    labels = rng.random(cases) < 0.3
    shared = rng.normal(size=cases)
    a, b = (np.round(shared + rng.normal(size=cases) + shift * labels, 4) for shift in (1.0, 1.05))
    path = folder / "delong.csv"
    np.savetxt(path, np.column_stack([labels, a, b]), "%g", ",", header="label,a,b", comments="")
    return lambda: delong_test(labels.astype(int), a, b).p, R_DELONG, {"path": path}


def mixed_case(rows: int, folder: Path):
    """Generate a table with three crossed factors; return our fit, the R script and its arguments."""
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
    """Return the time of the fastest pass in seconds and the result of the function."""
    best = np.inf
    for _ in range(passes):
        start = time.perf_counter()
        value = function()
        best = min(best, time.perf_counter() - start)
    return best, value


def r_seconds(script: str, passes: int) -> dict[str, tuple[float, float]]:
    """Run an R script that prints lines "name seconds value"; return the fastest time and the value by name."""
    run = subprocess.run(["Rscript", "--vanilla", "-e", script], capture_output=True, text=True)
    if run.returncode:
        print(f"R failed: {run.stderr.strip().splitlines()[-1]}")
        return {}
    found: dict[str, tuple[float, float]] = {}
    for name, elapsed, value in (line.split() for line in run.stdout.splitlines() if line.strip()):
        found[name] = min(found.get(name, (np.inf, 0.0)), (float(elapsed), float(value)))
    return found


def main() -> None:
    """Time both tasks and print one row for each R package."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=100_000, help="number of cases of the DeLong test")
    parser.add_argument("--rows", type=int, default=20_000, help="number of rows of the mixed model")
    parser.add_argument("--passes", type=int, default=3, help="repetitions; the fastest counts")
    parser.add_argument("--json", type=Path, help="also write the results to this file")
    arguments = parser.parse_args()
    with_r, results = shutil.which("Rscript") is not None, []
    print(f"{'task':38}{'R package':16}{'ours (s)':>9}{'R (s)':>9}{'ratio':>8}  same result")
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
        print("Rscript is not installed; only the times of keras_radtl are reported")
    if arguments.json:
        arguments.json.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
