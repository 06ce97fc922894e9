"""Options of a run beside its configuration: where it is written and how the work is done. None changes a result."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from keras_radtl.config import require


@dataclass(frozen=True)
class RunOptions:
    """Where and how to run.

    Attributes:
        output: the run directory.
        resume: return a finished run instead of refusing it; an unfinished run of the same configuration always
            resumes.
        overwrite: replace the run in `output`.
        tensorboard: also write TensorBoard scalars.
        reuse: compute the activations of frozen layers once and store them; the result is the same without.
        feature_cache_size: disk space for stored activations, in gigabytes.
        feature_dtype: `float32`, or `float16` for half the disk space and a small error, which is logged.
        checkpoint_seconds: least time between two checkpoints, in seconds; 0: one after every epoch.
        save_model: save the trained model; without it a run has predictions and metrics only.
        figures: draw the figures of the run.
        test: predict the test cases and compute their metrics; a search does not, so that they decide nothing.
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
        require(self.feature_cache_size >= 0, "feature_cache_size", ">= 0 gigabytes", self.feature_cache_size)
        require(self.feature_dtype in ("float32", "float16"), "feature_dtype", "float32 or float16", self.feature_dtype)
        require(
            self.test or not self.figures, "figures", "False without test predictions, which they show", self.figures
        )

    @property
    def cache_bytes(self) -> int:
        """Size of the store in bytes."""
        return int(self.feature_cache_size * 1e9)
