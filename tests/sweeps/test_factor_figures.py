"""Box plots by factor: which factors have one, and the order of their levels."""

from __future__ import annotations

from PIL import Image

from keras_radtl.sweeps import factor_figures
from keras_radtl.sweeps.factor_figures import draw_factors, varying_factors

ROWS = [
    {"task": task, "rate": rate, "filters": filters, "fixed": "x", "number": n, "test_auc": 0.5 + 0.01 * n}
    for n, (task, rate, filters) in enumerate(
        (task, rate, filters) for task in ("a", "b") for rate in (1e-2, 1e-3) for filters in ("none", 16, 4)
    )
]


def test_factors_that_vary_have_a_figure(tmp_path, monkeypatch):
    assert varying_factors(ROWS, ["task", "fixed", "rate"]) == ("task", "rate")
    monkeypatch.setattr(factor_figures, "MOST_LEVELS", 6)
    paths = draw_factors(tmp_path, ROWS, ["task", "rate", "filters", "fixed", "number"], "test_auc")
    assert [path.name for path in paths] == ["box_task.png", "box_rate.png", "box_filters.png"]
    widths = []
    for path in paths:
        with Image.open(path) as image:
            widths.append(image.width)
    assert widths[1] == 2 * widths[0], "one panel per task"


def test_numbers_are_sorted_and_texts_keep_their_order(tmp_path, monkeypatch):
    from keras_radtl.figures import boxes

    drawn = []
    monkeypatch.setattr(boxes, "plot_boxes", lambda axes, samples, *texts: drawn.append((samples, texts)))
    draw_factors(tmp_path, ROWS, ["rate", "filters"], "test_auc")
    assert [list(samples) for samples, _ in drawn] == [["0.001", "0.01"], ["4", "16", "none"]]
    assert drawn[0][1] == ("test AUC by rate", "rate", "test AUC")
    assert sum(map(len, drawn[1][0].values())) == len(ROWS)


def test_without_finished_runs_nothing_is_drawn(tmp_path):
    assert draw_factors(tmp_path / "figures", [], ["rate"], "test_auc") == []
    assert not (tmp_path / "figures").exists()
