"""Named configurations. A preset is a set of changes to the defaults of `Config`; flags override it."""

from __future__ import annotations

from keras_radtl.config import Config, UserError, update

_QUICKSTART = {
    "data": {"image_size": 160, "positive": "malignant"},
    "model": {"backbone": "efficientnet_lite0", "weights": "imagenet", "head": {"name": "conv_skip", "filters": 4}},
    "training": {"unfreeze": "top2", "epochs": 8, "batch_size": 32, "learning_rate": 2e-4, "schedule": "cosine"},
}

PRESETS: dict[str, dict] = {
    "quickstart": _QUICKSTART,
}


def get_preset(name: str) -> Config:
    """Return the configuration of a preset.

    Raises:
        UserError: for an unknown name, with the known ones.
    """
    if not isinstance(name, str) or name not in PRESETS:  # a configuration file may hold anything
        raise UserError(f"Unknown preset `{name}`. Known: {', '.join(PRESETS)}")
    return update(Config(), {"preset": name, **PRESETS[name]})
