"""Design matrix and factor codes of a linear mixed model, with R's coding and names.

A factor is treatment-coded: one 0/1 column per level except the reference level, named by the term followed by the
level (`pretrainRadImageNet`). By default the reference is the first level in sorted order. Numbers are sorted by value,
text by code point as R does in the C locale.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

INTERCEPT = "(Intercept)"
NONE = "none"  # level of rows to which a factor of numbers does not apply
LARGEST = 1e100  # of a response or covariate in absolute value: sums of squares must not overflow


Coded = tuple[tuple[str, ...], np.ndarray]  # levels of a factor and the level code of each row


@dataclass(frozen=True)
class Design:
    """Response, fixed-effects design matrix and random factors of a mixed model.

    Attributes:
        response: float64 array of shape (n,).
        terms: names of the columns of `fixed`, starting with the intercept.
        fixed: float64 array of shape (n, p), the design matrix of the fixed effects.
        groups: names of the random factors.
        codes: one int array of shape (n,) per random factor; levels are numbered from 0 in sorted order.
        levels: sorted levels of each random factor.
    """

    response: np.ndarray
    terms: tuple[str, ...]
    fixed: np.ndarray
    groups: tuple[str, ...]
    codes: tuple[np.ndarray, ...]
    levels: tuple[tuple[str, ...], ...]


def is_numeric(values: Sequence) -> bool:
    """Return whether all values are numbers or text that represents numbers; "1_2" and booleans are not numbers."""
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


def factor_levels(values: Sequence) -> Coded:
    """Return the sorted levels of a factor and the level code of each value.

    Args:
        values: n values, converted by `str`. Numbers are sorted by value, text by code point; `none` follows
            numbers.

    Returns:
        The levels in sorted order, and an int array of shape (n,) with the position of each value's level.
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
    """Encode response, fixed effects and random factors, and check that a mixed model can be fitted to them.

    Args:
        response: n finite numbers.
        fixed: values of each fixed term by name. Numeric values are a covariate, other values a factor.
        random: values of each random factor by name; always categorical.
        reference: reference level by fixed term; these terms are always factors.
        categorical: names of fixed terms whose numeric values are levels of a factor.

    Returns:
        A `Design`.

    Raises:
        ValueError: if a value is not finite, lengths differ, a term has one level only, a random factor has as many
            levels as rows or is confounded with another factor, or the fixed effects are linearly dependent.
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
        wrong = next(value for value in values if not is_numeric([value]))
        raise ValueError(f"`{name}` must be numeric. Received: {wrong!r}")
    numbers = np.array([float(value) for value in values])
    wrong = np.flatnonzero(~(np.abs(numbers) <= LARGEST))
    if len(wrong):
        raise ValueError(
            f"`{name}` must be finite and at most {LARGEST:g}. Received: {numbers[wrong[0]]} in row {wrong[0]}"
        )
    return numbers


def _check_names(
    fixed: Mapping[str, Sequence],
    random: Mapping[str, Sequence],
    reference: Mapping[str, str],
    categorical: Collection[str],
    rows: int,
) -> None:
    if not random:
        raise ValueError("a mixed model must have at least one random factor")
    for name in [*reference, *categorical]:
        if name not in fixed:
            raise ValueError(f"`{name}` must be one of the fixed terms: {', '.join(fixed) or '(none)'}")
    for name in random:
        if name in fixed:
            raise ValueError(f"`{name}` must not be both a fixed term and a random factor")
    for name, values in [*fixed.items(), *random.items()]:
        if len(values) != rows:
            raise ValueError(f"`{name}` must have one value for each of the {rows} rows. Received: {len(values)}")
        if len(different := set(values)) < 2:
            only = ", ".join(map(str, different))
            raise ValueError(f"`{name}` must have at least two different values. Received: {only}")


def _treatment(name: str, values: Sequence, reference: str | None) -> list[tuple[str, np.ndarray]]:
    """Return the name and the 0/1 column of every level of a factor except the reference level."""
    levels, codes = factor_levels(values)
    if reference is None:
        reference = levels[0]
    if reference not in levels:
        raise ValueError(f"reference of `{name}` must be one of {', '.join(levels)}. Received: {reference}")
    return [(name + level, (codes == i).astype(float)) for i, level in enumerate(levels) if level != reference]


def _check_rank(matrix: np.ndarray, terms: list[str]) -> None:
    """Raise an error if the design matrix has linearly dependent columns, and name the first one."""
    if len(matrix) <= matrix.shape[1]:
        raise ValueError(
            f"there must be more rows than fixed effects. Received: {len(matrix)} rows, {len(terms)} effects"
        )
    scaled = matrix / np.linalg.norm(matrix, axis=0)
    diagonal = np.abs(np.diag(np.linalg.qr(scaled, mode="r")))
    dependent = np.flatnonzero(diagonal < 1e-10)
    if len(dependent):
        raise ValueError(
            "fixed effects must be linearly independent. "
            f"Received: `{terms[dependent[0]]}`, which is a combination of the terms before it"
        )


def _check_partitions(fixed: Mapping[str, Coded], random: Mapping[str, Coded]) -> None:
    """Raise an error if a random factor groups the rows exactly as another factor: the effects are not identifiable."""
    names = list(random)
    for i, name in enumerate(names):
        levels, codes = random[name]
        for other in [*fixed, *names[:i]]:
            other_levels, other_codes = fixed[other] if other in fixed else random[other]
            pairs = len(np.unique(codes.astype(np.int64) * len(other_levels) + other_codes))
            if pairs == len(levels) == len(other_levels):
                raise ValueError(f"`{other}` and `{name}` must not group the rows identically: remove one of them")
