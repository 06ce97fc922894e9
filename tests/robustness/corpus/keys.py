"""Every key of the configuration with values of a wrong type and out of range, by `--set`."""

from __future__ import annotations

from collections.abc import Iterator

from corpus.case import AUDIT, FIT, SWEEP, TUNE, Case
from keras_radtl.config import Config, to_dict

NUMBER = {
    "a word": "x",
    "true": "true",
    "a list": "[1]",
    "a table": "{a: 1}",
    "low": "-1.0e+9",
    "high": "1.0e+99",
    "NaN": ".nan",
    "infinity": ".inf",
    "5000 digits": "9" * 5000,
}
TRUTH = {"a word": "x", "a number": "3", "a list": "[true]", "null": "null"}
TEXT = {
    "a number": "3",
    "a list": "[a]",
    "a table": "{a: b}",
    "true": "true",
    "5000 characters": "x" * 5000,
    "a date": "2001-99-99x\\",
}
LIST = {"a word": "x", "a number": "3", "a table": "{a: 1}", "a list of lists": "[[1]]", "a list of tables": "[{a: 1}]"}
TABLE = {"a word": "x", "a number": "3", "a list": "[1]", "an unknown key": "{nope: 1}", "null": "null"}
OPTIONAL = ("data.label", "data.positive", "model.weights_dir", "model.scaling")  # text or nothing
CHOICES = (
    "data.on_label_conflict",
    "data.on_bad_image",
    "data.resize",
    "data.channels",
    "data.window",
    "model.backbone",
    "model.weights",
    "model.scaling",
    "model.batchnorm",
    "model.head.name",
    "model.head.hidden_basis",
    "model.head.pooling",
    "training.strategy",
    "training.unfreeze",
    "training.counting",
    "training.optimizer",
    "training.weight_decay_mode",
    "training.schedule",
    "training.monitor",
    "training.loss",
    "training.class_weight",
    "training.sampling",
    "training.precision",
    "device",
    "preset",
)
PAIRS = {  # not of one key
    "empty": ("", "--set"),
    "no value": ("seed", "--set"),
    "no key": ("=3", ""),
    "two dots": ("a..b=1", ""),
    "a dot": (".=1", ""),
    "a date": ("seed=2001-99-99", "seed"),
    "a tag": ("seed=!!int x", "seed"),
    "a Python tag": ("seed=!!python/object/apply:os.system [x]", "seed"),
    "an alias": ("seed=*a", "seed"),
    "an anchor": ("data=&a {path: *a}", "data"),
    "3000 braces": ("seed=" + "{" * 3000, "seed"),
    "3000 brackets": ("seed=" + "[" * 3000 + "]" * 3000, "seed"),
    "open bracket": ("seed=[", "seed"),
    "a tab": ("seed=\t", "seed"),
    "NUL": ("seed=\0", "seed"),
    "a table below a value": ("seed.x=1", "seed"),
    "below a number": ("training.epochs.x=3", "epochs"),
    "unknown": ("training.speed=3", "speed"),
    "unknown section": ("nope.x=3", "nope"),
    "long key": ("x" * 5000 + "=3", ""),
    "a NUL in the key": ("se\0ed=3", ""),
    "500 parts": (".".join("a" * 500) + "=1", ""),
    "too many groups": ("training.unfreeze=top9", "unfreeze"),
    "superscript group": ("training.unfreeze=top²", "unfreeze"),
    "superscript layers": ("training.unfreeze=layers:²", "unfreeze"),
    "a window backwards": ("data.window=9:3", "window"),
    "an open window": ("data.window=9:", "window"),
    "a window of words": ("data.window=a:b", "window"),
    "a window of 5000 digits": (f"data.window=1:{'9' * 5000}", "window"),
    "shares": ("split.train=0.1", "train + val + test"),
    "a bigint": ("seed=" + "9" * 4999, "seed"),
    "sexagesimal": ("seed=1:30", "seed"),
    "labels of one": ("data.labels=[a]", "label"),
    "the same label twice": ("data.labels=[a, a]", "label"),
    "resize side": ("data.resize_side=1000000", "resize_side"),
    "ratio": ("model.head.ratio=.inf", "ratio"),
    "two backbones, one weight": ("model.backbone=tiny+nope", "nope"),
    "100 backbones": ("model.backbone=" + "+".join(["tiny"] * 100), "backbone"),
    "balanced twice": ("training={sampling: balanced, class_weight: balanced}", "class_weight"),
    "rates twice": ("training={group_rates: [1, 1], group_decay: 0.5}", "group_decay"),
    "too many rates": ("training.group_rates=[1,1,1,1,1,1,1]", "group_rates"),
    "phases": ("training={strategy: lp_ft, phase_epochs: [1]}", "phase_epochs"),
    "penalty and l2": ("{training: {strategy: l2_sp}}", ""),
    "threshold above 1": ("prediction.threshold=1.5", "threshold"),
    "unknown rule of the threshold": ("prediction.threshold=accuracy:0.9", "threshold"),
    "a fold of one": ("split.folds=1", "folds"),
    "more folds than groups": ("split.folds=90", "folds"),
    "home of nobody": ("data.path=~nosuchuser/x", "nosuchuser"),
    "pages": ("data.max_megapixels=0", "max_megapixels"),
    "phantoms": ("data.phantoms.count=19", "count"),
}


def leaves(values: dict, where: str = "") -> Iterator[tuple[str, object]]:
    """Yield dotted keys with their defaults; sections too."""
    for name, value in values.items():
        key = f"{where}{name}"
        yield key, value
        if isinstance(value, dict):
            yield from leaves(value, f"{key}.")


def _values(key: str, default) -> dict[str, str]:
    if isinstance(default, dict):
        return TABLE
    if isinstance(default, list):
        return LIST
    if isinstance(default, bool):
        return TRUTH
    if not isinstance(default, str) and key not in OPTIONAL:
        return NUMBER
    extra = {"unknown": "nope", "empty": "''"} if key in CHOICES else {}
    return {**TEXT, **extra} if key in CHOICES else {k: v for k, v in TEXT.items() if k != "a date"}


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for key, default in leaves(to_dict(Config())):
        for kind, text in _values(key, default).items():
            expected = "head" if key == "model.head.name" else key.rpartition(".")[2]
            yield Case(f"{key} {kind}", "fit", [*FIT, "--set", f"{key}={text}"], expected)
    for kind, (pair, expected) in PAIRS.items():
        yield Case(f"pair: {kind}", "fit", [*FIT, "--set", pair], expected)
    for command, base in (("audit", AUDIT), ("sweep", SWEEP), ("tune", TUNE)):
        for pair, expected in (("seed=x", "seed"), ("nope=3", "nope"), ("seed", "--set"), ("seed=2001-99-99", "seed")):
            yield Case(f"{command} {pair}", command, [*base, "--set", pair], expected)
