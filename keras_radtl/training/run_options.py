"""Options of a run that are not part of its configuration, such as the output folder."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keras_radtl.config import require


@dataclass(frozen=True)
class RunOptions:
    """Output folder and execution of a run. Only `feature_dtype` affects the result.

    Attributes:
        output: The run directory.
        resume: Return a finished run instead of raising an error; an unfinished run of the same configuration always
            resumes.
        overwrite: Replace the run in `output`.
        tensorboard: Also write TensorBoard scalars.
        reuse: Compute the activations of frozen layers once and store them; the result does not depend on it.
        feature_cache_size: Disk space for stored activations, in gigabytes.
        feature_dtype: `float32`, or `float16` for half the disk space and a small error, which is logged.
        checkpoint_seconds: Minimum time between two checkpoints, in seconds; 0: a checkpoint after each epoch.
        save_model: Save the trained model; otherwise the run has only predictions and metrics.
        figures: Draw the figures of the run.
        test: Predict the test cases and compute their metrics. A search does not, so that it cannot depend on them.
    """

    output: Path
    resume: bool = False
    overwrite: bool = False
    tensorboard: bool = False
    reuse: bool = True
    feature_cache_size: float = 8.0
    feature_dtype: str = "float32"
    checkpoint_seconds: float = 0.0
    save_model: bool = True
    figures: bool = True
    test: bool = True

    def __post_init__(self):
        size = self.feature_cache_size
        require(0 <= size <= 1e6, "feature_cache_size", "in [0, 1e6] gigabytes", size)
        require(self.feature_dtype in ("float32", "float16"), "feature_dtype", "float32 or float16", self.feature_dtype)
        require(self.test or not self.figures, "figures", "False if `test` is False", self.figures)

    @property
    def cache_bytes(self) -> int:
        """`feature_cache_size` in bytes."""
        return int(self.feature_cache_size * 1e9)
