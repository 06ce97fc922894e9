"""The command on run directories and bare CSVs: its JSON, its figure, and refusals in one line with exit code 2."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from keras_radtl.compare import main
from keras_radtl.stats.accuracy_tests import mcnemar
from keras_radtl.stats.delong_tests import delong_test
from keras_radtl.stats.paired import adjust_p_values


def compare(tmp_path, *arguments):
    """Run the command and return its JSON, which must be strictly valid."""
    assert main([*map(str, arguments), "--json", str(tmp_path / "out.json")]) == 0

    def refuse(constant):
        raise AssertionError(f"{constant} in JSON")

    return json.loads((tmp_path / "out.json").read_text(), parse_constant=refuse)


def test_three_csvs_in_different_orders(tmp_path, write_scores, capsys, scored):
    targets, a = scored(0, 2.0)
    b, c = scored(1, 1.0)[1], scored(2, 0.2)[1]
    found = compare(
        tmp_path,
        write_scores("a.csv", targets, a),
        write_scores("b.csv", targets, b, order=range(59, -1, -1)),
        write_scores("c.csv", targets, c),
    )
    assert [model["name"] for model in found["models"]] == ["a", "b", "c"]
    assert found["models"][0].keys() >= {"name", "auc", "ci_low", "ci_high", "n", "positives"}
    assert (found["models"][0]["n"], found["models"][0]["positives"]) == (60, 20)
    expected = [delong_test(targets, x, y) for x, y in ((a, b), (a, c), (b, c))]
    for pair, test, corrected in zip(
        found["pairs"], expected, adjust_p_values([test.p for test in expected]), strict=True
    ):
        assert (pair["difference"], pair["ci_low"], pair["ci_high"]) == (test.difference, test.ci_low, test.ci_high)
        assert (pair["z"], pair["p"], pair["p_adjusted"]) == (test.statistic, test.p, corrected)
    error = mcnemar(targets, a >= 0.5, c >= 0.5)
    assert (found["pairs"][1]["mcnemar_statistic"], found["pairs"][1]["mcnemar_p"]) == (error.statistic, error.p)
    assert found["global_test"]["df"] == found["cochran"]["df"] == 2
    assert (tmp_path / "comparison_roc.png").read_bytes()[:4] == b"\x89PNG"
    text = capsys.readouterr().out
    assert "a - c" in text and str(tmp_path / "comparison_roc.png") in text


def test_two_runs_and_a_csv_of_the_same_cases(tmp_path, write_predictions, write_scores, scored):
    targets, a = scored(0, 2.0)
    b = scored(1, 1.0)[1]
    runs = compare(tmp_path, write_predictions("first", targets, a), write_predictions("second", targets, b))
    mixed = compare(tmp_path, write_predictions("first", targets, a), write_scores("second.csv", targets, b))
    assert runs["models"] == mixed["models"] and runs["pairs"] == mixed["pairs"]
    assert runs["global_test"] is None


def test_validation_predictions_and_a_predictions_file_by_name(tmp_path, write_predictions, scored):
    targets, a = scored(0, 2.0)
    val, test = write_predictions("x", targets, a, "val"), write_predictions("y", targets, scored(1, 1.0)[1])
    found = compare(tmp_path, val, test / "predictions_test.csv", "--split", "val")
    assert [model["name"] for model in found["models"]] == ["x", "predictions_test"]


def test_groups_are_reported_and_used_on_request(tmp_path, write_predictions, caplog, scored):
    targets, a = scored(0, 2.0)
    first, second = write_predictions("x", targets, a), write_predictions("y", targets, scored(1, 1.0)[1])
    with caplog.at_level("INFO"):
        plain = compare(tmp_path, first, second)
    assert "60 cases of 30 groups are treated as independent" in caplog.text
    clustered = compare(tmp_path, first, second, "--clustered")
    groups = [i // 2 for i in range(60)]
    assert clustered["pairs"][0]["p"] == delong_test(targets, a, scored(1, 1.0)[1], groups=groups).p
    assert clustered["pairs"][0]["p"] != plain["pairs"][0]["p"]
    assert clustered["pairs"][0]["mcnemar_clustered"] is True and plain["pairs"][0]["mcnemar_clustered"] is False
    calls = [scores >= 0.5 for scores in (a, scored(1, 1.0)[1])]
    assert clustered["pairs"][0]["mcnemar_p"] == mcnemar(targets, *calls, groups=groups).p


def test_a_multi_class_run_needs_the_positive_class(tmp_path, capsys):
    folders = []
    for name, lift in (("x", 0.3), ("y", 0.1)):
        folders.append(tmp_path / name)
        folders[-1].mkdir()
        generator = np.random.default_rng(len(folders))
        rows = ["case,path,group,split,label,predicted,prob_benign,prob_malignant,prob_normal"]
        for i in range(30):
            probabilities = generator.dirichlet([2, 2, 2]) * (1 - lift) + lift * np.eye(3)[i % 3]
            label = ("benign", "malignant", "normal")[i % 3]
            rows.append(f"{i},{i}.png,{i},test,{label},benign,{','.join(map(str, probabilities))}")
        (folders[-1] / "predictions_test.csv").write_text("\n".join(rows))
    assert main([*map(str, folders)]) == 2
    assert "set --positive to the one" in capsys.readouterr().err
    found = compare(tmp_path, *folders, "--positive", "malignant")
    assert found["models"][0]["positives"] == 10


def test_the_same_model_twice_differs_by_nothing(tmp_path, write_scores, scored):
    path = write_scores("a.csv", *scored(0, 1.0))
    pair = compare(tmp_path, path, path)["pairs"][0]
    assert (pair["a"] != pair["b"], pair["difference"], pair["p"], pair["mcnemar_p"]) == (True, 0.0, 1.0, 1.0)


def test_what_is_undefined_is_null(tmp_path, write_scores):
    targets = [1, 0, 0, 0]
    pair = compare(
        tmp_path,
        write_scores("a.csv", targets, [0.9, 0.1, 0.2, 0.3]),
        write_scores("b.csv", targets, [0.2, 0.1, 0.9, 0.3]),
        write_scores("c.csv", targets, [0.5] * 4),
    )["pairs"][0]
    assert pair["p"] is pair["z"] is pair["ci_low"] is pair["p_adjusted"] is None
    assert "fewer than two positives" in pair["method"]


def test_options_reach_the_tests(tmp_path, write_scores, scored):
    targets, a = scored(0, 2.0)
    b = scored(1, 1.0)[1]
    files = write_scores("a.csv", targets, a), write_scores("b.csv", targets, b)
    found = compare(
        tmp_path,
        *files,
        "--alpha",
        "0.2",
        "--threshold",
        "0.3",
        "--mcnemar",
        "exact",
        "--figure",
        tmp_path / "sub" / "roc.png",
    )
    test = delong_test(targets, a, b, confidence=0.8)
    assert found["pairs"][0]["ci_low"] == test.ci_low
    assert found["pairs"][0]["mcnemar_p"] == mcnemar(targets, a >= 0.3, b >= 0.3, "exact").p
    assert found["pairs"][0]["mcnemar_statistic"] is None
    assert (tmp_path / "sub" / "roc.png").is_file()
    assert main([*map(str, files), "--output", str(tmp_path / "folder")]) == 0
    assert sorted(path.name for path in (tmp_path / "folder").iterdir()) == ["comparison.json", "comparison_roc.png"]


GOOD = "case,label,score\na,1,0.9\nb,0,0.2\nc,1,0.6\nd,0,0.4\n"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (GOOD.replace("case,label,score", "case,label,probability"), "needs the columns case,label,score"),
        (GOOD.replace("case,", "id,"), "'case' is missing"),
        (GOOD.replace("label,", "target,"), "'label' is missing"),
        (GOOD.replace("b,0", "b,2"), "row 3: 'label' must be 0 or 1. Received: '2'"),
        (GOOD.replace("b,0", "b,"), "row 3: 'label' must be 0 or 1"),
        (GOOD.replace("0.6", "high"), "row 4: 'score' must be a finite number. Received: 'high'"),
        (GOOD.replace("0.6", ""), "row 4: 'score'"),
        (GOOD.replace("0.6", "nan"), "row 4: 'score'"),
        (GOOD.replace("c,1", "a,1"), "row 4: case 'a' appears twice"),
        (GOOD.replace("c,1,0.6", "c,1"), "row 4 has 2 cells, but the header has 3"),
        (GOOD.replace("c,1,0.6", "c,1,0.6,7"), "row 4 has 4 cells, but the header has 3"),
        (GOOD.replace("c,1", "x,1"), "case 'c' is in"),
        (GOOD + "e,1,0.5\n", "case 'e' is in"),
        (GOOD.replace("d,0", "d,1"), "case 'd' is 0 in"),
        (GOOD.replace("case,", "score,"), "several columns called score"),
        ("", "is empty"),
        ("case,label,score\n", "has a header but no rows"),
        ('case,label,score\n"a,1,0.9\n', "row 2: unexpected end of data"),
        (b"case,label,score\n\xff\xfe,1,0.9\n", "row 2: byte 0xff is not UTF-8"),
    ],
)
def test_a_bad_file_is_refused_in_one_line(tmp_path, capsys, content, words):
    (tmp_path / "good.csv").write_text(GOOD)
    bad = tmp_path / "bad.csv"
    bad.write_bytes(content if isinstance(content, bytes) else content.encode())
    code = main([str(tmp_path / "good.csv"), str(bad), "--json", str(tmp_path / "out.json")])
    error = capsys.readouterr().err
    assert code == 2 and words in error and "bad.csv" in error
    assert error.count("\n") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv", "good.csv"]


def test_a_byte_order_mark_and_windows_line_ends_are_read(tmp_path):
    (tmp_path / "good.csv").write_text(GOOD)
    (tmp_path / "excel.csv").write_bytes(b"\xef\xbb\xbf" + GOOD.replace("\n", "\r\n").encode())
    assert compare(tmp_path, tmp_path / "good.csv", tmp_path / "excel.csv")["models"][1]["auc"] == 1.0


def test_other_mistakes_are_refused_in_one_line(tmp_path, write_predictions, write_scores, capsys, scored):
    targets, a = scored(0, 2.0)
    good, other = str(write_scores("a.csv", targets, a)), str(write_scores("b.csv", targets, a))
    (tmp_path / "empty").mkdir()
    no_class = write_predictions("typo", targets, a)
    text = (no_class / "predictions_test.csv").read_text()
    (no_class / "predictions_test.csv").write_text(text.replace("test,malignant", "test,malignent", 1))
    for arguments, words in [
        ([good], "at least two runs"),
        ([good, "nowhere"], "no such file or folder"),
        ([good, str(tmp_path / "empty")], "it has no predictions_test.csv"),
        ([good, str(no_class)], "'label' must be one of benign, malignant"),
        ([str(no_class), good, "--positive", "cyst"], "has no class 'cyst'. Known: benign, malignant"),
        ([good, other, "--alpha", "5"], "--alpha must be in (0, 1)"),
        ([good, other, "--alpha", "five"], "--alpha"),
        ([good, other, "--threshold", "nan"], "--threshold must be"),
        ([good, other, "--figure", "roc.pdf"], ".png"),
        ([good, other, "--json", good], "must not be an input"),
        ([good, other, "--json", str(tmp_path / "empty")], "--json must be a file"),
        ([good, other, "--json", good + "/out.json"], "cannot be written"),
        ([good, other, "--clustered"], "no column 'group'"),
        ([good, other, "--positive", "zz"], "--positive must be a class of a run"),
        ([good, other, "--auc-scale", "log"], "--auc-scale"),
        ([str(write_scores("c.csv", [1, 1], [0.1, 0.2]))] * 2, "the same label"),
    ]:
        assert main(arguments) == 2, arguments
        error = capsys.readouterr().err
        assert words in error and error.count("\n") == 1, (arguments, error)


def test_the_command_needs_no_tensorflow(tmp_path, write_scores, scored):
    path = str(write_scores("a.csv", *scored(0, 1.0)))
    arguments = [path, path, "--output", str(tmp_path)]
    program = f"""if True:
        import sys
        from keras_radtl.compare import main
        sys.exit(main({arguments!r}) or ("tensorflow" in sys.modules or "keras" in sys.modules))
    """
    assert subprocess.run([sys.executable, "-c", program], capture_output=True, check=False).returncode == 0
