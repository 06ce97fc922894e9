"""What is asked of a run beside its configuration: where it goes and how the work is done, not what comes out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keras_radtl.config import require


@dataclass(frozen=True)
class RunOptions:
    """Where and how to run.

    Attributes:
        output: the run directory.
        resume: show a finished run instead of refusing it.
        overwrite: replace a run that stands there.
        tensorboard: also write TensorBoard scalars.
        reuse: compute what is frozen once and store it; the result is the same.
        feature_cache_gb: size of that store in gigabytes.
        feature_dtype: `float32`, or `float16` for half the space and a small error, which is logged.
        checkpoint_seconds: at least so long between two checkpoints; 0: one after every epoch.
        save_model: keep the trained model; without it a run has predictions and metrics alone.
        figures: draw the figures of the run.
        test: predict and judge the test cases; a search does not, so that they decide nothing.
    """

    output: Path
    resume: bool = False
    overwrite: bool = False
    tensorboard: bool = False
    reuse: bool = True
    feature_cache_gb: float = 8.0
    feature_dtype: str = "float32"
    checkpoint_seconds: float = 0.0
    save_model: bool = True
    figures: bool = True
    test: bool = True

    def __post_init__(self):
        require(self.feature_cache_gb >= 0, "feature_cache_size", ">= 0 gigabytes", self.feature_cache_gb)
        require(self.feature_dtype in ("float32", "float16"), "feature_dtype", "float32 or float16", self.feature_dtype)
        require(
            self.test or not self.figures, "figures", "False without test predictions, which they show", self.figures
        )

    @property
    def cache_bytes(self) -> int:
        """Size of the store in bytes."""
        return int(self.feature_cache_gb * 1e9)
