"""Configurations of the statistical baselines: names of `baseline` and values that they change."""

from __future__ import annotations

from keras_radtl.config.errors import UserError, require
from keras_radtl.config.lasso_section import LASSO_SOLVERS

KINDS = {  # each with its strategy and what it learns from
    "lasso": ("lasso", "pixels"),
    "logistic": ("logistic", "pixels"),
    "features": ("probe", "features"),
}
_CHOOSING = ("lasso",)  # kinds with a C
INPUTS = ("pixels", "features")
_FEATURES = {  # a frozen backbone that is fast on a CPU
    "backbone": "efficientnet_lite0", "weights": "imagenet", "head": {"name": "linear", "pooling": "average"},
}  # fmt: skip


def baseline_values(
    kind: str,
    C: float | None = None,
    path: int | None = None,
    input: str | None = None,
    solver: str | None = None,
    l1_ratio: float | None = None,
    choice: str | None = None,
) -> dict:
    """Return the nested configuration values of a baseline.

    Args:
        kind: "lasso" (logistic lasso), "logistic" (logistic regression by maximum likelihood), or "features" (logistic
            regression with an L2 penalty on frozen features).
        C: Weight of the log-losses; None: chosen from a path.
        path: Number of values of C on the path; None: 20.
        input: "pixels" or "features" of a frozen backbone; None: pixels, but features for "features".
        solver: "newton", "saga" or "skglm"; None: newton.
        l1_ratio: Share of the 1-norm in the penalty, in (0, 1]; None: 1, the lasso.
        choice: Who chooses C: "validation" or "cross_validation"; None: validation.
    Raises:
        UserError: If a name is unknown or arguments contradict each other; the message names the argument.
    """
    require(kind in KINDS, "kind", f"one of {', '.join(KINDS)}", kind)
    strategy, default = KINDS[kind]
    chosen = default if input is None else input
    require(chosen in INPUTS, "input", " or ".join(INPUTS), input)
    require(chosen == "features" or kind != "features", "input", "features with the baseline features", input)
    if C is not None and path is not None:
        raise UserError(f"`C` and `path` exclude each other. Received: C={C!r}, path={path!r}")
    if solver == "celer":
        known = ", ".join(LASSO_SOLVERS)
        raise UserError(
            f"`solver='celer'` has no intercept in logistic regression, so it cannot fit this. Use: {known}"
        )
    named = {"C": C, "path": path, "solver": solver, "l1_ratio": l1_ratio, "choice": choice}
    lasso = {name: value for name, value in named.items() if value is not None}
    if kind not in _CHOOSING and lasso:
        name = next(name for name, value in named.items() if value is not None)
        raise UserError(f"`{name}` is an argument of the baseline lasso, not of {kind}")
    values: dict = {"training": {"strategy": strategy, "views": 1, **({"lasso": lasso} if lasso else {})}}
    return values | ({"model": _FEATURES} if chosen == "features" else {})
