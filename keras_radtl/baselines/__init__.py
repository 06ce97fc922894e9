"""Statistical baselines on arrays: logistic regression, lasso with a certificate of optimality, and their simulation.

| function | purpose |
|---|---|
| `fit_standardization` | mean and scale of each pixel, which make pixels a float32 matrix |
| `fit_lasso` | logistic lasso or elastic net at one C, with its certificate |
| `lasso_path` | the same at several C in turn, one fit after the other |
| `path_values` | values of C for a path |
| `certify` | duality gap, KKT violation and sparsity of any coefficients |
| `choose_by_validation` | the C with the smallest log-loss of validation cases |
| `cross_validate` | the C with the smallest log-loss in a grouped cross-validation |
| `fit_logistic` | logistic regression by maximum likelihood |
| `find_separation` | whether a hyperplane separates the two classes |
| `simulate` | how well maximum likelihood recovers known coefficients |
| `digit_coefficients` | coefficients in the shape of a digit, for the simulation |

The functions are loaded on first use. None of them needs TensorFlow.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from keras_radtl.baselines.certificate import Certificate, certify
    from keras_radtl.baselines.lasso import LassoFit, fit_lasso, lasso_path, path_values
    from keras_radtl.baselines.logistic import LogisticFit, fit_logistic
    from keras_radtl.baselines.selection import CrossValidation, choose_by_validation, cross_validate
    from keras_radtl.baselines.separation import Separation, find_separation
    from keras_radtl.baselines.simulation import Simulation, digit_coefficients, simulate
    from keras_radtl.baselines.standardization import Standardization, fit_standardization

__all__ = [
    "Certificate",
    "CrossValidation",
    "LassoFit",
    "LogisticFit",
    "Separation",
    "Simulation",
    "Standardization",
    "certify",
    "choose_by_validation",
    "cross_validate",
    "digit_coefficients",
    "find_separation",
    "fit_lasso",
    "fit_logistic",
    "fit_standardization",
    "lasso_path",
    "path_values",
    "simulate",
]

_MODULES = {
    "certificate": ["Certificate", "certify"],
    "lasso": ["LassoFit", "fit_lasso", "lasso_path", "path_values"],
    "logistic": ["LogisticFit", "fit_logistic"],
    "selection": ["CrossValidation", "choose_by_validation", "cross_validate"],
    "separation": ["Separation", "find_separation"],
    "simulation": ["Simulation", "digit_coefficients", "simulate"],
    "standardization": ["Standardization", "fit_standardization"],
}
_HOME = {name: f"keras_radtl.baselines.{module}" for module, names in _MODULES.items() for name in names}


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used."""
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = globals()[name] = getattr(import_module(_HOME[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
