"""Seeds of layers: every initial weight and every dropout mask is a function of the run's seed and a name."""

from __future__ import annotations

import hashlib


def derived_seed(seed: int, *names) -> int:
    """Return a seed in [0, 2^31) that depends on `seed` and all `names`, and on nothing else."""
    text = "/".join(str(part) for part in (seed, *names))
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:4], "big") % 2**31


def reset_generators(model, seed: int, epoch: int) -> int:
    """Set every random generator inside a model to a state that depends on (seed, layer, epoch) alone.

    Keras does not save the state of dropout layers; with this call at the start of each epoch a resumed run draws the
    masks that an uninterrupted one would have drawn.

    Args:
        model: keras.Model.
        seed: int, the run's seed.
        epoch: int, the epoch that begins, counted over all phases.
    Returns:
        int, how many generators were set.
    """
    count = 0
    for layer in model._flatten_layers(include_self=False):
        generator = getattr(layer, "seed_generator", None)
        if generator is not None:
            generator.state.assign([derived_seed(seed, layer.path, epoch), 0])
            count += 1
    return count
