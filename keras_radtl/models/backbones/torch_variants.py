"""ResNet50 and DenseNet121 as in torchvision, with the layer names of `keras.applications`.

PyTorch checkpoints do not fit the models of `keras.applications` exactly. In torchvision's ResNet50 the stride of a
bottleneck is in the 3x3 convolution (in Keras in the first 1x1 convolution), convolutions before BatchNorm have no
bias, and padding is symmetric. Both networks have a BatchNorm epsilon of 1e-5 (1.001e-5 in Keras) and a momentum of 0.1
(0.9 in the convention of Keras). Because layer names are the same, so are the layer groups and Grad-CAM layers.

Reference:
    He et al. 2016, arXiv 1512.03385, table 1, with the stride of Goyal et al. 2017, arXiv 1706.02677, section 5.1;
    Huang et al. 2017, arXiv 1608.06993, table 1 (growth rate 32, compression 0.5).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import keras

BATCHNORM_EPSILON = 1e-5
BATCHNORM_MOMENTUM = 0.9
RESNET50_BLOCKS = (3, 4, 6, 3)
DENSENET121_LAYERS = (6, 12, 24, 16)
GROWTH_RATE = 32


def resnet50_torch(x: keras.KerasTensor) -> keras.KerasTensor:
    """Add torchvision's ResNet50 without its classifier to a functional graph.

    Args:
        x: Scaled pixels of shape (batch, height, width, 3), with height and width at least 32.

    Returns:
        Output of the layer `conv5_block3_out`, of shape (batch, rows, columns, 2048).
    """
    x = _stem(x, pool="pool1_pool")
    for stage, blocks in enumerate(RESNET50_BLOCKS):
        for block in range(blocks):
            stride = 2 if block == 0 and stage > 0 else 1
            x = _bottleneck(x, 64 * 2**stage, stride, block == 0, f"conv{stage + 2}_block{block + 1}")
    return x


def densenet121_torch(x: keras.KerasTensor) -> keras.KerasTensor:
    """Add torchvision's DenseNet121 without its classifier to a functional graph.

    Args:
        x: Scaled pixels of shape (batch, height, width, 3), with height and width at least 32.

    Returns:
        Output of the layer `relu` after the last BatchNorm, of shape (batch, rows, columns, 1024).
    """
    from keras import layers

    x = _stem(x, pool="pool1")
    for block, count in enumerate(DENSENET121_LAYERS, start=2):
        for number in range(1, count + 1):
            x = _dense_layer(x, f"conv{block}_block{number}")
        if block < 5:
            x = _batchnorm_relu(x, f"pool{block}_bn", f"pool{block}_relu")
            x = _convolution(x, x.shape[-1] // 2, 1, f"pool{block}_conv")
            x = layers.AveragePooling2D(2, name=f"pool{block}_pool")(x)
    return _batchnorm_relu(x, "bn", "relu")


def _stem(x, pool: str):
    from keras import layers

    x = _convolution(x, 64, 7, "conv1_conv", stride=2)
    x = _batchnorm_relu(x, "conv1_bn", "conv1_relu")
    x = layers.ZeroPadding2D(1, name="pool1_pad")(x)  # zeros do not change the maximum after ReLU
    return layers.MaxPooling2D(3, strides=2, name=pool)(x)


def _convolution(x, filters: int, kernel: int, name: str, stride: int = 1):
    """Add a convolution without bias, padded symmetrically (Keras' `same` padding can be asymmetric)."""
    from keras import layers

    if kernel > 1:
        x = layers.ZeroPadding2D(kernel // 2, name=name.removesuffix("_conv") + "_pad")(x)
    return layers.Conv2D(filters, kernel, strides=stride, use_bias=False, name=name)(x)


def _batchnorm(x, name: str):
    from keras import layers

    return layers.BatchNormalization(momentum=BATCHNORM_MOMENTUM, epsilon=BATCHNORM_EPSILON, name=name)(x)


def _batchnorm_relu(x, name: str, relu_name: str):
    from keras import layers

    return layers.Activation("relu", name=relu_name)(_batchnorm(x, name))


def _bottleneck(x, filters: int, stride: int, project: bool, name: str):
    """Add a bottleneck block; `project` adds a convolution to the shortcut (option B of the paper)."""
    from keras import layers

    shortcut = x
    if project:
        shortcut = _batchnorm(_convolution(x, 4 * filters, 1, f"{name}_0_conv", stride), f"{name}_0_bn")
    x = _batchnorm_relu(_convolution(x, filters, 1, f"{name}_1_conv"), f"{name}_1_bn", f"{name}_1_relu")
    x = _batchnorm_relu(_convolution(x, filters, 3, f"{name}_2_conv", stride), f"{name}_2_bn", f"{name}_2_relu")
    x = _batchnorm(_convolution(x, 4 * filters, 1, f"{name}_3_conv"), f"{name}_3_bn")
    x = layers.Add(name=f"{name}_add")([shortcut, x])
    return layers.Activation("relu", name=f"{name}_out")(x)


def _dense_layer(x, name: str):
    """Add one layer of a dense block: a 1x1 and a 3x3 convolution, concatenated with the input."""
    from keras import layers

    new = _batchnorm_relu(x, f"{name}_0_bn", f"{name}_0_relu")
    new = _convolution(new, 4 * GROWTH_RATE, 1, f"{name}_1_conv")
    new = _batchnorm_relu(new, f"{name}_1_bn", f"{name}_1_relu")
    new = _convolution(new, GROWTH_RATE, 3, f"{name}_2_conv")
    return layers.Concatenate(name=f"{name}_concat")([x, new])
