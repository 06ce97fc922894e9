"""Load a saved classifier as a `keras.Model`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from keras_radtl.config import UserError
from keras_radtl.reproducibility import import_tensorflow

if TYPE_CHECKING:
    import keras


def load_model(path: str | Path) -> keras.Model:
    """Load a model from a `.keras` file, such as `saved_models/RUN/model.keras`.

    After `import keras_radtl.layers`, `keras.saving.load_model` loads the same model. Files with Python code (Lambda
    layers) are refused.

    Args:
        path: The file.

    Returns:
        Model from uint8 images (batch, height, width, channels) to float32 logits (batch, n_classes), not compiled.

    Raises:
        UserError: If the file does not exist or is not a Keras model.
    """
    path = Path(path)
    if path.suffix != ".keras" or not path.is_file():
        raise UserError(f"`path` must be an existing .keras file. Received: path={str(path)!r}")
    import_tensorflow()
    import keras

    from keras_radtl.models import losses  # noqa: F401  registers
    from keras_radtl.models.layers import batchnorm, grey_pixels, heads, pixel_scaling, stage_pooling  # noqa: F401

    try:
        return keras.saving.load_model(path, compile=False)
    except (ValueError, OSError, KeyError) as error:
        raise UserError(f"{path} cannot be loaded: {' '.join(str(error).split())[:200]}") from None
