"""How fast this machine is, measured on a few images before a sweep starts.

The worker of a sweep measures before its first run. Where no worker is at hand, `python -m keras_radtl.sweeps.speed
MODULE` is a process that measures, so that TensorFlow takes no memory where it is not needed afterwards: it reads from
stdin what to measure and writes one line of JSON.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from keras_radtl.config import Config, HeadConfig, TrainingConfig, UserError
from keras_radtl.models.backbones.branches import branches, default_image_size
from keras_radtl.sweeps.run_list import RunSpec

_IMAGES = 8  # of a batch that is timed
_HEAD, _FEATURES = HeadConfig("conv_skip", ratio=0.5, filters=4), 512  # 1.5 million weights
_STEPS = 5
_PACKAGES = Path(__file__).parents[2]


@dataclass(frozen=True)
class Speed:
    """Seconds on this machine.

    Attributes:
        start: until a process is ready.
        build: by `backbone:size`, to build that backbone.
        image: by `backbone:size`, for one image forward.
        weight_step: for one weight of a head in one training step.
    """

    start: float
    build: dict[str, float] = field(default_factory=dict)
    image: dict[str, float] = field(default_factory=dict)
    weight_step: float = 0.0

    def of(self, table: str, config: Config) -> float:
        """Return the sum over the backbones of a configuration of `build` or `image`."""
        return sum(getattr(self, table)[word] for word in backbone_words(config))


def backbone_words(config: Config) -> list[str]:
    """Return `backbone:size` of each backbone of a configuration."""
    size = config.data.image_size or default_image_size(config.model)
    return [f"{branch.spec.name}:{size}" for branch in branches(config.model)]


def listed_words(configs: Iterable[Config]) -> list[str]:
    """Return the backbones and sizes of some configurations, each once."""
    return sorted({word for config in configs for word in backbone_words(config)})


def measure_speed(configs: Iterable[Config], module: str = "") -> Speed:
    """Measure what these configurations use, in a process of its own.

    Args:
        configs: their backbones and image sizes are timed, each once, with random weights.
        module: file of the list of runs, which may add backbones of its own.
    Raises:
        UserError: when that process fails, with what it said last.
    """
    words = listed_words(configs)
    paths = [str(_PACKAGES), *filter(None, [os.environ.get("PYTHONPATH")])]
    started = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", "keras_radtl.sweeps.speed", module],
        input=json.dumps(words),
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(paths)},
    )
    if done.returncode:
        said = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise UserError(f"The speed of this machine could not be measured: {said[-1]}")
    return told_speed(json.loads(done.stdout.splitlines()[-1]), started)


def try_speed(runs: Sequence[RunSpec], module: str = "") -> Speed | str:
    """Measure what some runs use, as `measure_speed`; returns in one line why it is not known when that fails."""
    try:
        return measure_speed((run.config for run in runs), module)
    except UserError as error:  # one impossible run must not stop the others; it will fail by name
        return str(error)


def told_speed(told: dict, started: float) -> Speed:
    """Return what a process told that was started at `started`, by the clock of `time.perf_counter`."""
    told = dict(told)
    busy = told.pop("busy")
    return Speed(**told | {"start": max(0.0, time.perf_counter() - started - busy)})


def measure(words: list[str]) -> dict:
    """Measure in this process; returns what `told_speed` takes.

    Args:
        words: of `listed_words`.
    Raises:
        UserError: when a backbone is unknown or cannot be built at its size.
    """
    started, build, image = time.perf_counter(), {}, {}
    for word in words:
        name, size = word.split(":")
        build[word], image[word] = _time_backbone(name, int(size))
    return {**asdict(Speed(0.0, build, image, _time_head())), "busy": time.perf_counter() - started}


def _time_backbone(name: str, size: int) -> tuple[float, float]:
    import keras
    import numpy as np

    from keras_radtl.models.backbones.table import get_backbone
    from keras_radtl.runs.inference import Predictor

    started = time.perf_counter()
    pixels = keras.Input((size, size, 3))
    predict = Predictor(keras.Model(pixels, get_backbone(name).build(pixels)))
    built = time.perf_counter() - started
    batch = np.zeros((_IMAGES, size, size, 3), np.float32)
    predict([batch])  # traces
    started = time.perf_counter()
    predict([batch, batch])
    return built, (time.perf_counter() - started) / (2 * _IMAGES)


def _time_head() -> float:
    import keras
    import numpy as np

    from keras_radtl.models.layers.heads import make_head
    from keras_radtl.models.losses import make_loss
    from keras_radtl.strategies.optimizers import make_optimizer

    features = keras.Input((_FEATURES,))
    model = keras.Model(features, make_head(_HEAD, 2)(features))
    model.compile(optimizer=make_optimizer(TrainingConfig(), 1e-4), loss=make_loss(False), jit_compile=False)
    batch = (
        np.zeros((TrainingConfig().batch_size, _FEATURES), np.float32),
        np.zeros(TrainingConfig().batch_size, np.int32),
    )
    model.train_on_batch(*batch)  # traces
    started = time.perf_counter()
    for _ in range(_STEPS):
        model.train_on_batch(*batch)
    return (time.perf_counter() - started) / _STEPS / model.count_params()


def main(argv=None) -> int:
    """Measure what stdin lists and write it to stdout."""
    from keras_radtl.reproducibility import prepare
    from keras_radtl.sweeps.run_list import load_list

    (module,) = sys.argv[1:] if argv is None else argv
    if module:
        load_list(module)
    words = json.load(sys.stdin)
    prepare(0, "auto", True)
    sys.stdout.write(json.dumps(measure(words)) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
