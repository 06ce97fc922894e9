"""Model matrix and factor codes of a linear mixed model, coded and named as R does.

A categorical term has R's treatment coding: one 0/1 column per level but the reference, named by the term followed by
the level (`pretrainRadImageNet`). The reference is the first level in sorted order unless another is given: numbers by
value, words by code point, which is R's order in the C locale.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

INTERCEPT = "(Intercept)"
NONE = "none"  # the level of a factor that does not apply to a row


@dataclass(frozen=True)
class Design:
    """Everything a mixed model is fitted to.

    Attributes:
        response: float64 (n,).
        terms: names of the columns of `fixed`, the intercept first.
        fixed: float64 (n, p) model matrix of the fixed effects.
        groups: names of the random factors.
        codes: one int array (n,) per random factor, levels numbered from 0 in sorted order.
        levels: the levels of each random factor in that order.
    """

    response: np.ndarray
    terms: tuple[str, ...]
    fixed: np.ndarray
    groups: tuple[str, ...]
    codes: tuple[np.ndarray, ...]
    levels: tuple[tuple[str, ...], ...]


def is_numeric(values: Sequence) -> bool:
    """Tell whether all values are numbers, or text that spells numbers ("1_2" and truth values do not)."""
    if isinstance(values, np.ndarray) and values.dtype.kind in "fiu":
        return True
    try:
        for value in values:
            float(value)
            if isinstance(value, bool | np.bool_) or (isinstance(value, str) and "_" in value):
                return False
    except (TypeError, ValueError):
        return False
    return True


def factor_levels(values: Sequence) -> tuple[tuple[str, ...], np.ndarray]:
    """Number the levels of a factor.

    Args:
        values: n values, made text by `str`. Numbers are sorted by value, words by code point; `none`, the level of
            empty cells, comes after numbers.

    Returns:
        The levels in sorted order and the int code of each value.
    """
    text = [str(value) for value in (values.tolist() if isinstance(values, np.ndarray) else values)]
    names = sorted(set(text))
    given = [name for name in names if name != NONE]
    if is_numeric(given):
        names = sorted(given, key=float) + [NONE] * (len(given) < len(names))
    position = {name: i for i, name in enumerate(names)}
    return tuple(names), np.fromiter((position[name] for name in text), dtype=np.intp, count=len(text))


def make_design(
    response: Sequence,
    fixed: Mapping[str, Sequence],
    random: Mapping[str, Sequence],
    reference: Mapping[str, str] | None = None,
    categorical: Collection[str] = (),
) -> Design:
    """Code response, fixed effects and random factors, and refuse what no mixed model can be fitted to.

    Args:
        response: n finite numbers.
        fixed: values of each fixed term by name. Numbers make a numeric covariate, anything else a factor.
        random: values of each random factor by name; always taken as categories.
        reference: reference level by fixed term; a term named here is a factor whatever its values are.
        categorical: names of fixed terms whose numbers are levels.

    Raises:
        ValueError: if a value is not finite, lengths differ, a factor has one level, a random factor has as many levels
            as rows or divides the rows as another does, or columns of the model matrix are linearly dependent.
    """
    y = _numbers("response", response)
    reference = dict(reference or {})
    _check_names(fixed, random, reference, categorical, len(y))
    terms, columns = [INTERCEPT], [np.ones(len(y))]
    for name, values in fixed.items():
        if is_numeric(values) and name not in reference and name not in categorical:
            added = [(name, _numbers(name, values))]
        else:
            added = _treatment(name, values, reference.get(name))
        terms += [term for term, _ in added]
        columns += [column for _, column in added]
    matrix = np.column_stack(columns)
    _check_rank(matrix, terms)
    coded = {name: factor_levels(values) for name, values in random.items()}
    for name, (levels, _) in coded.items():
        if len(levels) >= len(y):
            raise ValueError(f"random factor `{name}` must have fewer levels than rows. Received: {len(levels)} levels")
    _check_partitions({name: factor_levels(values) for name, values in fixed.items()}, coded)
    return Design(
        response=y,
        terms=tuple(terms),
        fixed=matrix,
        groups=tuple(coded),
        codes=tuple(codes for _, codes in coded.values()),
        levels=tuple(levels for levels, _ in coded.values()),
    )


def _numbers(name: str, values: Sequence) -> np.ndarray:
    if not is_numeric(values):
        raise ValueError(f"`{name}` must be numbers")
    numbers = np.array([float(value) for value in values])
    if not np.isfinite(numbers).all():
        raise ValueError(f"`{name}` must be finite in every row")
    return numbers


def _check_names(fixed, random, reference, categorical, rows: int) -> None:
    if not random:
        raise ValueError("a mixed model must have at least one random factor")
    for name in [*reference, *categorical]:
        if name not in fixed:
            raise ValueError(f"`{name}` must be one of the fixed terms {', '.join(fixed) or '(none)'}")
    for name in random:
        if name in fixed:
            raise ValueError(f"`{name}` must not be both a fixed term and a random factor")
    for name, values in [*fixed.items(), *random.items()]:
        if len(values) != rows:
            raise ValueError(f"`{name}` must have one value per row, {rows}. Received: {len(values)}")
        if len(different := set(values)) < 2:
            only = ", ".join(map(str, different))
            raise ValueError(f"`{name}` must have at least two different values. Received: {only}")


def _treatment(name: str, values: Sequence, reference: str | None) -> list[tuple[str, np.ndarray]]:
    """Make the 0/1 columns of a factor, without the one of its reference level."""
    levels, codes = factor_levels(values)
    if reference is None:
        reference = levels[0]
    if reference not in levels:
        raise ValueError(f"reference of `{name}` must be one of {', '.join(levels)}. Received: {reference}")
    return [(name + level, (codes == i).astype(float)) for i, level in enumerate(levels) if level != reference]


def _check_rank(matrix: np.ndarray, terms: list[str]) -> None:
    """Name the first column that the ones before it span."""
    if len(matrix) <= matrix.shape[1]:
        raise ValueError(
            f"there must be more rows than fixed effects. Received: {len(matrix)} rows, {len(terms)} effects"
        )
    scaled = matrix / np.linalg.norm(matrix, axis=0)
    diagonal = np.abs(np.diag(np.linalg.qr(scaled, mode="r")))
    dependent = np.flatnonzero(diagonal < 1e-10)
    if len(dependent):
        raise ValueError(
            f"fixed effects must be linearly independent: `{terms[dependent[0]]}` is a combination of those before it"
        )


def _check_partitions(fixed: dict, random: dict) -> None:
    """Refuse two factors that divide the rows alike: no data can tell their effects apart."""
    names = list(random)
    for i, name in enumerate(names):
        levels, codes = random[name]
        for other in [*fixed, *names[:i]]:
            other_levels, other_codes = fixed[other] if other in fixed else random[other]
            pairs = len(np.unique(codes.astype(np.int64) * len(other_levels) + other_codes))
            if pairs == len(levels) == len(other_levels):
                raise ValueError(f"`{other}` and `{name}` must not divide the rows alike: leave one of them out")
