"""The command that looks at data before training."""

from __future__ import annotations

import os

import pytest

from keras_radtl.audit import main


@pytest.mark.parametrize("option", [[], ["--data"]])
def test_report(faulty_pictures, capsys, option):
    assert main([*option, str(faulty_pictures), "--folds", "3"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert f"{faulty_pictures.name}: 24 images" in lines
    assert "labels: benign 12, malignant 11" in lines
    assert "files that cannot be used: 1" in lines and "  malignant/3.png: the file is empty" in lines
    assert "clusters of identical images: 2" in lines and "  benign/0.png [benign] = benign/1.png [benign]" in lines
    place = lines.index("identical images with different labels: 1")
    assert lines[place + 1] == "  benign/2.png [benign] = malignant/2.png [malignant]"
    assert [line[:13] for line in lines if line.startswith("split")] == [
        "split, fold 1",
        "split, fold 2",
        "split, fold 3",
    ]
    assert any(line.startswith("note: no patient groups known") for line in lines)


def test_long_lists_are_cut(faulty_pictures, capsys):
    assert main([str(faulty_pictures), "--limit", "1"]) == 0
    assert "  ... 1 more (--limit 2 lists all)" in capsys.readouterr().out


def test_a_split_that_is_not_possible_is_part_of_the_report(faulty_pictures, capsys):
    assert main([str(faulty_pictures), "--folds", "20"]) == 0
    assert "split: not possible: Class `benign` is in 10 groups" in capsys.readouterr().out


def test_nothing_to_look_at(tmp_path, capsys):
    assert main([str(tmp_path / "missing")]) == 2
    assert capsys.readouterr().err.startswith("error: No such file or folder")


@pytest.mark.parametrize("option", [["--limit", "-1"], ["--distance", "-1"], ["--distance", "100000"]])
def test_limits_out_of_range_are_one_line(faulty_pictures, refusal, option):
    assert main([str(faulty_pictures), *option]) == 2
    assert f"{option[0]} must be in [0, " in refusal()


def test_path_is_the_same_as_data(faulty_pictures, capsys, refusal):
    """The positive class of a preset does not apply to the data of the user."""
    (faulty_pictures / "malignant").rename(faulty_pictures / "cancer")
    outputs = []
    for arguments in (
        [str(faulty_pictures)],
        ["--data", str(faulty_pictures)],
        [str(faulty_pictures), "--positive", "none"],
    ):
        assert main(arguments) == 0
        outputs.append(capsys.readouterr().out)
    assert len(set(outputs)) == 1 and "classes of the task: benign" in outputs[0]
    assert main([str(faulty_pictures), "--print-config"]) == 0
    assert '"positive": null' in capsys.readouterr().out
    assert main([str(faulty_pictures), "--data", str(faulty_pictures)]) == 2
    assert "Give the data as PATH or with --data, not both" in refusal()


def test_what_cannot_be_opened_is_listed(faulty_pictures, capsys):
    os.mkfifo(faulty_pictures / "benign" / "pipe.png")
    (faulty_pictures / "benign" / os.fsdecode(b"\xff.png")).write_bytes(b"x")
    assert main([str(faulty_pictures)]) == 0
    out = capsys.readouterr().out
    assert "benign/pipe.png: benign/pipe.png is not a regular file" in out and r"benign/\xff.png" in out
