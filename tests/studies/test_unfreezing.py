"""The unfreezing study of BACON: six levels by the counting of the reference."""

from __future__ import annotations


def test_unfreezing_has_six_levels_by_the_reference_counting(listed, levels):
    runs = listed("unfreezing", "--data-breast", "a", "--data-acl", "b")
    assert len(runs) == 2 * 2 * 6
    assert set(levels(runs, "structure")) == {"freezeall", *(f"unfreezetop{n}" for n in (1, 3, 5, 7, 9))}
    assert {run.config.training.unfreeze for run in runs} == {"none", "top1", "top3", "top5", "top7", "top9"}
    assert {(run.config.training.counting, run.config.training.epochs) for run in runs} == {("reference", 10)}
    heads = {(run.config.model.head.name, run.config.model.head.ratio, run.config.model.head.filters) for run in runs}
    assert heads == {("conv_skip", 1.0, 16)}
