"""The speed of this machine, measured on a few images before a sweep starts.

The worker of a sweep measures it before the first run. Without a worker, `python -m keras_radtl.sweeps.speed MODULE`
measures it in a process of its own, so that TensorFlow takes no memory in the parent: it reads the questions from stdin
and writes one line of JSON.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass, field

from keras_radtl.config import (
    Config,
    DataConfig,
    HeadConfig,
    ModelConfig,
    TrainingConfig,
    UserError,
    from_dict,
    to_dict,
)
from keras_radtl.models.backbones.branches import input_sizes
from keras_radtl.sweeps.run_list import RunSpec
from keras_radtl.system.child_process import ask
from keras_radtl.training.plan import Plan, make_plan

_IMAGES = 8  # in a batch that is timed
_SAMPLE = 16  # images of a dataset that are decoded
_HEADS = (HeadConfig("linear"), HeadConfig("conv_skip", ratio=0.5, filters=4))
_FEATURES = 512  # of a measured head; the larger one has 1.5 million weights
_STEPS = 5


@dataclass(frozen=True)
class Speed:
    """Seconds on this machine.

    Attributes:
        start: To start a process.
        read: To read, decode and resize one image, by `data_word`.
        build: To build a classifier, by `backbone:size`.
        trace: To trace its forward pass.
        image: For the forward pass of one image.
        train_trace: To trace one training step in which all layers train.
        train_image: For one image in such a step.
        head_trace: To trace a training step of a head.
        step: For one training step of a small head.
        weight_step: For each further weight of a head in one training step.
        running: Number of processes that are running already.
    """

    start: float = 0.0
    read: dict[str, float] = field(default_factory=dict)
    build: dict[str, float] = field(default_factory=dict)
    trace: dict[str, float] = field(default_factory=dict)
    image: dict[str, float] = field(default_factory=dict)
    train_trace: dict[str, float] = field(default_factory=dict)
    train_image: dict[str, float] = field(default_factory=dict)
    head_trace: float = 0.0
    step: float = 0.0
    weight_step: float = 0.0
    running: int = 0

    def of(self, table: str, plan: Plan) -> float:
        """Return the sum of a table, such as `build`, over the backbones of a plan."""
        return sum(getattr(self, table)[word] for word in backbone_words(plan))

    def of_data(self, plan: Plan) -> float:
        """Return the seconds to read one image of the dataset of a plan."""
        return self.read[data_word(plan)]


def backbone_words(plan: Plan) -> list[str]:
    """Return `backbone:size` for each backbone of a plan."""
    sizes = input_sizes(plan.branches, plan.image_size)
    return [f"{branch.spec.name}:{size}" for branch, size in zip(plan.branches, sizes, strict=True)]


def data_word(plan: Plan) -> str:
    """Return a text that names the dataset of a plan and the size of its images."""
    return json.dumps([to_dict(plan.data), plan.image_size], sort_keys=True)


def questions(configs: Iterable[Config]) -> dict[str, list[str]]:
    """Return what must be measured for some configurations, each word once.

    Returns:
        `data`: words of datasets; `backbones`: words of all backbones; `trained`: those that are trained.
    """
    plans = [make_plan(config) for config in configs]
    return {
        "data": sorted({data_word(plan) for plan in plans}),
        "backbones": sorted({word for plan in plans for word in backbone_words(plan)}),
        "trained": sorted({word for plan in plans if not plan.frozen for word in backbone_words(plan)}),
    }


def measure_speed(configs: Iterable[Config], module: str = "") -> Speed:
    """Measure what some configurations need, in a process of its own.

    Args:
        configs: Their datasets, backbones and image sizes are timed, each once, with random weights.
        module: File of the list of runs, which may add backbones.
    Raises:
        UserError: If that process fails; the message is its last line on stderr.
    """
    asked, started = questions(configs), time.perf_counter()
    reply = ask(["-m", "keras_radtl.sweeps.speed", module], json.dumps(asked))
    if reply.code:
        raise UserError(f"The speed of this machine could not be measured: {reply.problem}")
    return make_speed(json.loads(reply.last_output), started)


def try_speed(runs: Sequence[RunSpec], module: str = "") -> Speed | str:
    """Measure what runs need as `measure_speed` does; if that fails, return the reason in one line."""
    try:
        return measure_speed((run.config for run in runs), module)
    except UserError as error:  # one impossible run does not stop the others; it fails by name
        return str(error)


def make_speed(measured: dict, started: float) -> Speed:
    """Return the speed that a process measured; call it as soon as the process has answered.

    Args:
        measured: Result of `measure`.
        started: Time at which the process was started, from `time.perf_counter`.
    """
    values = dict(measured)
    busy = values.pop("busy")
    return Speed(**values | {"start": max(0.0, time.perf_counter() - started - busy)})


def measure(asked: dict[str, list[str]]) -> dict:
    """Measure in this process.

    Args:
        asked: Result of `questions`.
    Returns:
        The fields of `Speed`, and in `busy` the seconds that measuring took.
    Raises:
        UserError: If a dataset cannot be read, or a backbone is unknown or cannot be built at its size.
    """
    _time_heads()  # what a process does once belongs to its start
    started = time.perf_counter()
    tables: dict[str, dict[str, float]] = {
        name: {} for name in ("build", "trace", "image", "train_trace", "train_image")
    }
    for word in asked["backbones"]:
        for name, seconds in _time_backbone(word, word in asked["trained"]).items():
            tables[name][word] = seconds
    read = {word: _time_data(word) for word in asked["data"]}
    speed = asdict(Speed(0.0, read, **tables, **_time_heads()))
    return {**speed, "busy": time.perf_counter() - started}


def _seconds(function: Callable[[], object]) -> float:
    started = time.perf_counter()
    function()
    return time.perf_counter() - started


def _time_data(word: str) -> float:
    """Return the seconds for one image of a dataset, judged by a few of them."""
    import numpy as np

    from keras_radtl.data.images import load_images
    from keras_radtl.data.sources import read_table

    values, size = json.loads(word)
    data = from_dict(DataConfig, values)
    started = time.perf_counter()
    table = read_table(data)
    listed = (time.perf_counter() - started) / max(len(table), 1)
    rows = np.unique(np.linspace(0, len(table) - 1, _SAMPLE).astype(np.int64))
    load_images(table.take(rows[:1]), data, size)
    return listed + _seconds(lambda: load_images(table.take(rows), data, size)) / len(rows)


def _time_backbone(word: str, trained: bool) -> dict[str, float]:
    """Return the seconds to build and trace a linear classifier, and for one of its images."""
    import numpy as np

    from keras_radtl.models.classifier import build_classifier
    from keras_radtl.runs.inference import Predictor

    name, size = word.split(":")[0], int(word.split(":")[1])
    shape = (size, size, 3)
    config = ModelConfig(backbone=name, weights="none", head=HeadConfig("linear"))
    build_classifier(config, 2, shape, 0)  # later runs of a process build the same backbone faster
    started = time.perf_counter()
    model = build_classifier(config, 2, shape, 0)
    found = {"build": time.perf_counter() - started}
    predict, batch = Predictor(model), np.zeros((_IMAGES, *shape), np.uint8)
    first = _seconds(lambda: predict([batch]))
    batches = _seconds(lambda: predict([batch, batch]))
    found |= {"image": batches / (2 * _IMAGES), "trace": max(0.0, first - batches / 2)}
    if trained:
        first, again = _time_training(model, batch)
        found |= {"train_image": again / _IMAGES, "train_trace": max(0.0, first - again)}
    return found


def _time_training(model, batch) -> tuple[float, float]:
    """Return the seconds of the first training step of a classifier and of a later one."""
    import numpy as np

    from keras_radtl.models.losses import make_loss
    from keras_radtl.strategies.optimizers import make_optimizer, optimizer_settings

    model.compile(
        optimizer=make_optimizer(optimizer_settings(TrainingConfig()), 1e-4), loss=make_loss(False), jit_compile=False
    )
    targets = np.arange(len(batch), dtype=np.int32) % 2
    first = _seconds(lambda: model.train_on_batch(batch, targets))
    return first, min(_seconds(lambda: model.train_on_batch(batch, targets)) for _ in range(2))


def _time_heads() -> dict[str, float]:
    """Return `head_trace`, `step` and `weight_step`, from a small and a large head."""
    import keras
    import numpy as np

    from keras_radtl.models.layers.heads import make_head
    from keras_radtl.models.losses import make_loss
    from keras_radtl.strategies.optimizers import make_optimizer, optimizer_settings

    size = TrainingConfig().batch_size
    batch = np.zeros((size, _FEATURES), np.float32), np.zeros(size, np.int32)
    traces, steps, weights = [], [], []
    for head in _HEADS:
        features = keras.Input((_FEATURES,))
        model = keras.Model(features, make_head(head, 2)(features))
        optimizer = make_optimizer(optimizer_settings(TrainingConfig()), 1e-4)
        model.compile(optimizer=optimizer, loss=make_loss(False), jit_compile=False)
        first = _seconds(lambda model=model: model.train_on_batch(*batch))
        step = _seconds(lambda model=model: [model.train_on_batch(*batch) for _ in range(_STEPS)]) / _STEPS
        traces.append(max(0.0, first - step))
        steps.append(step)
        weights.append(model.count_params())
    slope = max(0.0, steps[1] - steps[0]) / (weights[1] - weights[0])
    return {"head_trace": max(traces), "step": steps[0], "weight_step": slope}


def main(argv=None) -> int:
    """Measure what stdin asks for and write the result to stdout; returns 2 if it is refused."""
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
