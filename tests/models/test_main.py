"""`python -m keras_radtl.models` lists the backbones."""

import subprocess
import sys


def run(*arguments):
    command = [sys.executable, "-m", "keras_radtl.models", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_backbones_and_layer_groups_are_printed_as_tables():
    lines = run("VGG19", "efficientnet_lite0").stdout.splitlines()
    assert lines[0].split()[:3] == ["backbone", "parameters", "features"]
    assert lines[1].split() == [
        "VGG19",
        "20,024,384",
        "512",
        "224",
        "32",
        "none,",
        "imagenet",
        "(caffe)",
        "block5_conv4",
    ]
    assert ["VGG19", "stages", "block5", "5", "9,439,232"] in [line.split() for line in lines]
    assert ["EfficientNet-Lite0", "stages", "stem", "3", "992"] in [line.split() for line in lines]


def test_an_unknown_backbone_exits_with_code_2():
    result = run("alexnet")
    assert (result.returncode, result.stdout) == (2, "")
    assert result.stderr.splitlines()[-1].startswith("error: Unknown backbone 'alexnet'. Known: resnet50")
