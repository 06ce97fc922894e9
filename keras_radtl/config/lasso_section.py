"""The section `training.lasso` of a configuration: how the strategy `lasso` is fitted."""

from __future__ import annotations

from dataclasses import dataclass

from keras_radtl.config.fields import check_fields, number, one_of

LASSO_SOLVERS = ("newton", "saga", "skglm")


@dataclass(frozen=True)
class LassoConfig:
    """The logistic lasso: C times the sum of the log-losses, plus the 1-norm of the coefficients."""

    #: weight of the log-losses; None: chosen from a path
    C: float | None = number(None, "(0, 1e9]")
    path: int = number(20, "[2, 1000]")  #: number of values of C on the path
    largest: float = number(0.5, "(0, 1e9]")  #: largest C of the path
    choice: str = "validation"  #: who chooses C: validation (cases) | cross_validation (on training cases, by group)
    l1_ratio: float = number(1.0, "(0, 1]")  #: share of the 1-norm in the penalty; below 1: elastic net
    solver: str = "newton"  #: newton | saga (scikit-learn) | skglm (extra `lasso`)
    tolerance: float = number(1e-3, "[1e-12, 0.1]")  #: relative duality gap of a solution that is called optimal
    #: working sets of newton and skglm, passes of saga; None: 100 and 1000
    max_iterations: int | None = number(None, "[1, 1000000]")

    def __post_init__(self):
        check_fields(self)
        one_of(self, "choice", ("validation", "cross_validation"))
        one_of(self, "solver", LASSO_SOLVERS)
