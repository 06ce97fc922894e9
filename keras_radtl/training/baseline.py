"""Train a statistical baseline, which is a run like any other."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path

from keras_radtl.config import Config
from keras_radtl.config.arguments import expand
from keras_radtl.config.baselines import baseline_values
from keras_radtl.data.dataset import Dataset
from keras_radtl.runs.run import Run
from keras_radtl.training.run_options import RunOptions
from keras_radtl.training.train import train


def train_baseline(
    kind: str,
    output: str | Path,
    *,
    C: float | None = None,
    path: int | None = None,
    input: str | None = None,
    solver: str | None = None,
    l1_ratio: float | None = None,
    choice: str | None = None,
    dataset: Dataset | None = None,
    **settings: object,
) -> Run:
    """Train and test a statistical baseline and write its run directory.

    The run has the files of `train`. A lasso or logistic regression also has `coefficients.npz` with `coef`,
    `intercept`, `mean` and `scale`, the coefficients of `(x - mean) / scale` for grey pixels x in [0, 1] or features x.

    Args:
        kind: "lasso" (logistic lasso), "logistic" (logistic regression by maximum likelihood), or "features" (logistic
            regression with an L2 penalty on frozen features).
        output: The run directory.
        C: Weight of the log-losses; None: chosen from a path.
        path: Number of values of C on the path; None: 20.
        input: "pixels" or "features" of a frozen backbone; None: pixels, but features for "features".
        solver: "newton", "saga" or "skglm"; None: newton.
        l1_ratio: Share of the 1-norm in the penalty, in (0, 1]; None: 1, the lasso.
        choice: Who chooses C: "validation" or "cross_validation"; None: validation.
        dataset: Result of `load_data`, if it is already loaded; None: it is loaded.
        settings: Values of the configuration by short name or dotted key, as for `Config.preset` (`data="BUSI"`,
            `positive="malignant"`), and fields of `RunOptions` (`overwrite=True`).
    Returns:
        The finished run.
    Raises:
        UserError: If the input cannot be used; nothing is written then.
        Stopped: After Ctrl-C or SIGTERM.
    """
    own = {field.name for field in fields(RunOptions)}
    options = {name: value for name, value in settings.items() if name in own}
    changes = {name: value for name, value in settings.items() if name not in own}
    values = baseline_values(kind, C, path, input, solver, l1_ratio, choice)
    config = Config.from_layers(None, values, expand(changes))
    return train(config, output, data=dataset, **options)
