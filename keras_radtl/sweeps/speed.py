"""The speed of this machine, measured on a few images before a sweep starts.

The worker of a sweep measures it before the first run. Without a worker, `python -m keras_radtl.sweeps.speed MODULE` is
a process that measures it, so that TensorFlow takes no memory in its parent: it reads what to measure from stdin and
writes one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field

from keras_radtl.config import Config, HeadConfig, TrainingConfig, UserError
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.system.child_process import ask
from keras_radtl.training.plan import make_plan

_IMAGES = 8  # in a batch that is timed
_HEAD, _FEATURES = HeadConfig("conv_skip", ratio=0.5, filters=4), 512  # 1.5 million weights
_STEPS = 5


@dataclass(frozen=True)
class Speed:
    """Seconds on this machine.

    Attributes:
        start: to start a process.
        build: by `backbone:size`, to build that backbone.
        image: by `backbone:size`, for the forward pass of one image.
        weight_step: for one weight of a head in one training step.
    """

    start: float
    build: dict[str, float] = field(default_factory=dict)
    image: dict[str, float] = field(default_factory=dict)
    weight_step: float = 0.0

    def of(self, table: str, config: Config) -> float:
        """Return the sum of `build` or of `image` over the backbones of a configuration."""
        return sum(getattr(self, table)[word] for word in backbone_words(config))


def backbone_words(config: Config) -> list[str]:
    """Return `backbone:size` for each backbone of a configuration."""
    plan = make_plan(config)
    return [f"{branch.spec.name}:{plan.image_size}" for branch in plan.branches]


def listed_words(configs: Iterable[Config]) -> list[str]:
    """Return `backbone:size` for the backbones of all configurations, each once, sorted."""
    return sorted({word for config in configs for word in backbone_words(config)})


def measure_speed(configs: Iterable[Config], module: str = "") -> Speed:
    """Measure the backbones of configurations, in a process of its own.

    Args:
        configs: their backbones and image sizes are timed, each once, with random weights.
        module: file of the list of runs, which may add backbones.
    Raises:
        UserError: when that process fails, with its last line on stderr.
    """
    words, started = listed_words(configs), time.perf_counter()
    reply = ask(["-m", "keras_radtl.sweeps.speed", module], json.dumps(words))
    if reply.code:
        raise UserError(f"The speed of this machine could not be measured: {reply.problem}")
    return make_speed(json.loads(reply.last_output), started)


def try_speed(runs: Sequence[RunSpec], module: str = "") -> Speed | str:
    """Measure the backbones of runs as `measure_speed` does; returns one line that says why when that fails."""
    try:
        return measure_speed((run.config for run in runs), module)
    except UserError as error:  # one impossible run does not stop the others; it fails by name
        return str(error)


def make_speed(measured: dict, started: float) -> Speed:
    """Return the speed that a process measured; call it as soon as the process has answered.

    Args:
        measured: from `measure`.
        started: when the process was started, by `time.perf_counter`.
    """
    values = dict(measured)
    busy = values.pop("busy")
    return Speed(**values | {"start": max(0.0, time.perf_counter() - started - busy)})


def measure(words: list[str]) -> dict:
    """Measure in this process; returns the fields of `Speed`, and in `busy` the seconds that measuring took.

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
    from keras_radtl.strategies.optimizers import make_optimizer, optimizer_settings

    features = keras.Input((_FEATURES,))
    model = keras.Model(features, make_head(_HEAD, 2)(features))
    optimizer = make_optimizer(optimizer_settings(TrainingConfig()), 1e-4)
    model.compile(optimizer=optimizer, loss=make_loss(False), jit_compile=False)
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
    """Measure the words that stdin lists and write the result to stdout; returns 2 when one is refused."""
    from keras_radtl.sweeps.run_list import load_list
    from keras_radtl.training.session import training_session

    (module,) = sys.argv[1:] if argv is None else argv
    try:
        if module:
            load_list(module)
        with training_session(0, "auto", deterministic=True):
            sys.stdout.write(json.dumps(measure(json.load(sys.stdin))) + "\n")
    except UserError as error:
        sys.stderr.write(f"{error}\n")
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
