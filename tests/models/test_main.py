"""`python -m keras_radtl.models` lists the backbones."""

from __future__ import annotations

import subprocess
import sys

import pytest

from keras_radtl.models.__main__ import BACKBONE_COLUMNS, main


def test_backbones_and_layer_groups_are_printed_as_tables(tiny_backbone, capsys):
    assert main(["tiny"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [lines[0].find(column) for column in BACKBONE_COLUMNS] == sorted(map(lines[0].find, BACKBONE_COLUMNS))
    parameters = [9 * 3 * 4 + 4 * 4, 9 * 4 * 6 + 4 * 6, 9 * 6 * 8 + 4 * 8]  # convolution and BatchNorm of each group
    assert lines[1].split() == ["Tiny", str(sum(parameters)), *"8 32 8 none, imagenet (tf) last_relu".split()]
    groups = [line.split() for line in lines[-3:]]
    expected = zip(("stem", "middle", "last"), parameters, strict=True)
    assert groups == [["Tiny", "stages", name, "3", str(count)] for name, count in expected]


@pytest.mark.slow
def test_the_command_lists_real_backbones():
    command = [sys.executable, "-m", "keras_radtl.models", "VGG19", "efficientnet_lite0"]
    lines = subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
    assert lines[1].split() == "VGG19 20,024,384 512 224 32 none, imagenet (caffe) block5_conv4".split()
    assert ["VGG19", "stages", "block5", "5", "9,439,232"] in [line.split() for line in lines]
    assert ["EfficientNet-Lite0", "stages", "stem", "3", "992"] in [line.split() for line in lines]


def test_an_unknown_backbone_exits_with_code_2(capsys):
    assert main(["alexnet"]) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    assert captured.err.splitlines()[-1].startswith("error: Unknown backbone 'alexnet'. Known: resnet50")
