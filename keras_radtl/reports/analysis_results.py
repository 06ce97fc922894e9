"""What is asked of a result table, and what was computed about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from keras_radtl.reports.result_table import LeftOut
from keras_radtl.stats.mixed_model import MixedModel, RatioTest
from keras_radtl.stats.ranks import StratumKruskal, StratumRankSum


@dataclass(frozen=True)
class AnalysisSpec:
    """The question: names of columns, and how the model is fitted.

    Attributes:
        response: the measured quantity.
        fixed: fixed effects.
        random: factors with random intercepts; empty: no mixed model.
        categorical: fixed effects whose numbers are levels.
        reference: reference level by fixed factor.
        method: "reml" or "ml".
        rank_by: factor whose levels are compared by rank tests; empty: no rank tests.
        within: factor within whose levels they are compared; empty: over the whole table.
    """

    response: str
    fixed: tuple[str, ...] = ()
    random: tuple[str, ...] = ()
    categorical: tuple[str, ...] = ()
    reference: Mapping[str, str] = field(default_factory=dict)
    method: str = "reml"
    rank_by: str = ""
    within: str = ""

    @property
    def factors(self) -> tuple[str, ...]:
        """Every column except the response, once each."""
        return tuple(dict.fromkeys((*self.fixed, *self.random, *filter(None, (self.rank_by, self.within)))))


@dataclass(frozen=True, repr=False)
class AnalysisResults:
    """The answers.

    Attributes:
        spec: what was asked.
        n: number of rows of the mixed model; without a mixed model, of the rank tests.
        excluded: numbers of the rows without a response: lines of a file, or positions in a DataFrame.
        incomplete: rows of each analysis that are left out since a cell is empty, by "mixed model" and "rank tests".
        row_name: what these numbers count: "line" or "row".
        model: the mixed model; None if none was asked for.
        intervals: 95 % interval of each fixed effect by term.
        dropped: by fixed effect, the likelihood-ratio test against the model without it.
        ranks: rank sum tests of pairs of levels.
        kruskal: joint tests of more than two levels.
        samples: values by factor, stratum ("" if there are none) and level, for box plots.
    """

    spec: AnalysisSpec
    n: int
    excluded: tuple[int, ...]
    incomplete: Mapping[str, LeftOut]
    row_name: str
    model: MixedModel | None
    intervals: dict[str, tuple[float, float]]
    dropped: dict[str, RatioTest]
    ranks: list[StratumRankSum]
    kruskal: list[StratumKruskal]
    samples: dict[str, dict[str, dict[str, list[float]]]]
