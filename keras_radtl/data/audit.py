"""Check images and labels before training: unusable files, duplicates, label conflicts, groups and the split."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from html import escape
from typing import TYPE_CHECKING, NamedTuple, Protocol

from keras_radtl.config import DataConfig, SplitConfig, UserError, require
from keras_radtl.data.duplicates import (
    duplicate_clusters,
    find_duplicates,
    label_conflicts,
    near_duplicates,
    perceptual_hashes,
    resolve,
)
from keras_radtl.data.images import load_images
from keras_radtl.data.sources import read_table
from keras_radtl.data.split import Split, make_splits
from keras_radtl.data.table import PARTS, CaseTable, Rejected

if TYPE_CHECKING:
    import pandas as pd

IMAGE_SIZE = 64  # pixels; enough for the perceptual hash
MOST_FINDINGS = 1_000_000
HASH_BITS = 63  # the constant term of the perceptual hash does not count


class Similar(NamedTuple):
    """Images that are identical or look alike.

    Attributes:
        paths: of the images.
        labels: of the images, as their source spells them.
        bits: differing bits of their perceptual hashes; 0 for identical images.
    """

    paths: tuple[str, ...]
    labels: tuple[str, ...]
    bits: int = 0

    def __str__(self) -> str:
        return " = ".join(f"{path} [{label}]" for path, label in zip(self.paths, self.labels, strict=True))


class HasData(Protocol):
    """An object with the data, the split and its seed, such as a `Config`."""

    @property
    def data(self) -> DataConfig:
        """The data set."""
        ...

    @property
    def split(self) -> SplitConfig:
        """Shares or number of folds."""
        ...

    @property
    def split_seed(self) -> int:
        """Seed of the split."""
        ...


@dataclass(frozen=True, eq=False)
class Audit:
    """What `audit_images` found. `str()` of it is a report.

    Attributes:
        name: of the data set.
        images: number of images, with those that cannot be used.
        labels: number of usable images by label, as the source spells it.
        classes: number of usable images by class of the task.
        groups: number of usable images by group.
        group_source: how the groups were found, such as "column patient".
        predefined_splits: number of images of each part, for each split that the data define.
        unusable: files that cannot be used, with the reason.
        identical: clusters of identical images.
        conflicts: clusters of identical images with different labels.
        look_alikes: pairs of images that look alike, those with different labels first.
        splits: the configured split, or one split per fold; empty if it is not possible.
        split_error: why the split is not possible, or an empty string.
        notes: further messages.
        limit: largest number of findings of a kind that the report lists.
        distance: largest number of differing bits of look-alikes.
    """

    name: str
    images: int
    labels: Counter[str]
    classes: dict[str, int]
    groups: Counter[str]
    group_source: str
    predefined_splits: tuple[dict[str, int], ...]
    unusable: tuple[Rejected, ...]
    identical: tuple[Similar, ...]
    conflicts: tuple[Similar, ...]
    look_alikes: tuple[Similar, ...]
    splits: tuple[Split, ...]
    split_error: str
    notes: tuple[str, ...]
    limit: int = 20
    distance: int = 2

    @property
    def findings(self) -> pd.DataFrame:
        """All findings, one row each.

        Columns: `kind` ("unusable file", "identical images", "label conflict" or "look-alikes"), `paths` and `labels`
        (tuples of str), `detail` (reason or number of differing bits).
        """
        import pandas as pd

        rows: list[tuple] = [("unusable file", (item.path,), (), item.reason) for item in self.unusable]
        rows += [("identical images", item.paths, item.labels, "") for item in self.identical]
        rows += [("label conflict", item.paths, item.labels, "") for item in self.conflicts]
        rows += [("look-alikes", item.paths, item.labels, _bits(item.bits)) for item in self.look_alikes]
        return pd.DataFrame(rows, columns=["kind", "paths", "labels", "detail"])

    def __str__(self) -> str:
        crossing = sum(len(set(pair.labels)) > 1 for pair in self.look_alikes)
        alike = f"pairs that look alike (at most {self.distance} of {HASH_BITS} bits differ)"
        lines = [
            *self._summary(),
            *self._listing("files that cannot be used", (f"{item.path}: {item.reason}" for item in self.unusable)),
            *self._listing("clusters of identical images", map(str, self.identical)),
            *self._listing("identical images with different labels", map(str, self.conflicts)),
            *self._listing(
                f"{alike}, {crossing} of them with different labels",
                (f"{pair}, {_bits(pair.bits)}" for pair in self.look_alikes),
            ),
            *self._split_lines(),
        ]
        return "\n".join([*lines, *(f"note: {note}" for note in self.notes)])

    def __repr__(self) -> str:
        counts = f"{len(self.unusable)} unusable, {len(self.identical)} clusters of identical images"
        return f"<Audit of {self.name}: {self.images} images, {counts}, {len(self.conflicts)} label conflicts>"

    def _repr_html_(self) -> str:
        lines = [*self._summary(), *self._split_lines(), *(f"note: {note}" for note in self.notes)]
        findings = self.findings
        text = findings.assign(paths=findings["paths"].map(" = ".join), labels=findings["labels"].map(", ".join))
        return "<br>".join(map(escape, lines)) + text.to_html(index=False, border=0, max_rows=4 * self.limit)

    def _summary(self) -> list[str]:
        total = max(sum(self.labels.values()), 1)
        shares = (f"{name} {count} ({count / total:.1%})" for name, count in self.classes.items())
        many = len(self.predefined_splits) > 1
        largest = max(self.groups.values(), default=0)
        return [
            f"{self.name}: {self.images} images",
            "labels: " + ", ".join(f"{name} {count}" for name, count in sorted(self.labels.items())),
            "classes of the task: " + ", ".join(shares),
            f"groups ({self.group_source}): {len(self.groups)}, the largest of {_plural(largest, 'image')}",
            *(
                f"predefined split{f', fold {fold}' if many else ''}: "
                + ", ".join(f"{k} {n}" for k, n in parts.items())
                for fold, parts in enumerate(self.predefined_splits, 1)
            ),
        ]

    def _listing(self, title: str, findings: Iterable[str]) -> list[str]:
        findings = list(findings)
        shown, more = findings[: self.limit], len(findings) - self.limit
        rest = [f"  ... {more} more (`limit={len(findings)}` lists all)"] if more > 0 else []
        return [f"{title}: {len(findings)}", *(f"  {finding}" for finding in shown), *rest]

    def _split_lines(self) -> list[str]:
        if self.split_error:
            return [f"split: not possible: {self.split_error}"]
        return [
            f"split{f', fold {s.fold}' if s.fold else ''}: train {len(s.train)}, val {len(s.val)}, test {len(s.test)}"
            for s in self.splits
        ]


def audit_images(
    data: str | os.PathLike[str] | DataConfig | HasData,
    split: SplitConfig | None = None,
    split_seed: int = 0,
    limit: int = 20,
    distance: int = 2,
) -> Audit:
    """Check the images and labels of a data set.

    Images that cannot be used are always listed, never an error. Nothing is written.

    Args:
        data: folder of class folders, CSV, `.npz` or other source as a path; a `DataConfig`; or a `Config`, whose
            split and seed are then used.
        split: shares or number of folds; None: the default split.
        split_seed: seed of the split.
        limit: largest number of findings of a kind that the report lists.
        distance: largest number of bits, of 63, in which the perceptual hashes of look-alikes differ.
    Returns:
        Audit.
    Raises:
        UserError: if there is nothing to check; names the path.
    """
    require(0 <= limit <= MOST_FINDINGS, "limit", f"in [0, {MOST_FINDINGS}]", limit)
    require(0 <= distance <= HASH_BITS, "distance", f"in [0, {HASH_BITS}]", distance)
    if isinstance(data, (str, os.PathLike)):
        config = DataConfig(path=os.fspath(data))
    elif isinstance(data, DataConfig):
        config = data
    else:
        config, split, split_seed = data.data, data.split, data.split_seed
    return _audit(replace(config, on_bad_image="skip"), split or SplitConfig(), split_seed, limit, distance)


def _audit(data: DataConfig, split: SplitConfig, split_seed: int, limit: int, distance: int) -> Audit:
    table = read_table(data)
    images = load_images(table, data, IMAGE_SIZE)
    used = table.take(images.kept)
    clusters = find_duplicates(images.hashes)
    alike = near_duplicates(perceptual_hashes(images.pixels), clusters, distance)
    look_alikes = [_similar(used, (a, b), bits) for a, b, bits in alike]
    resolved = resolve(table, images, "keep" if data.on_label_conflict == "keep" else "drop")
    splits, error = _try_split(resolved.table, resolved.clusters, split, data.given_split, split_seed)
    return Audit(
        name=table.name,
        images=len(table),
        labels=Counter(used.label_text(row) for row in range(len(used))),
        classes=_class_counts(used),
        groups=Counter(used.groups),
        group_source=used.group_source,
        predefined_splits=tuple({part: parts.count(part) for part in PARTS} for parts in used.predefined_splits),
        unusable=table.rejected + images.rejected,
        identical=tuple(_similar(used, rows) for rows in duplicate_clusters(clusters)),
        conflicts=tuple(_similar(used, rows) for rows in label_conflicts(used, clusters)),
        look_alikes=tuple(sorted(look_alikes, key=lambda pair: len(set(pair.labels)) == 1)),
        splits=splits,
        split_error=error,
        notes=used.notes + images.notes,
        limit=limit,
        distance=distance,
    )


def _similar(table: CaseTable, rows: Sequence[int], bits: int = 0) -> Similar:
    return Similar(tuple(table.paths[row] for row in rows), tuple(table.label_text(row) for row in rows), bits)


def _class_counts(table: CaseTable) -> dict[str, int]:
    members = (table.targets[:, i] == 1 if table.multilabel else table.targets == i for i in range(len(table.classes)))
    return {name: int(member.sum()) for name, member in zip(table.classes, members, strict=True)}


def _try_split(table, clusters, config: SplitConfig, use_predefined: bool, seed: int) -> tuple[tuple[Split, ...], str]:
    try:
        return make_splits(table, clusters, config, use_predefined, seed), ""
    except UserError as error:
        return (), str(error)


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


def _bits(count: int) -> str:
    return _plural(count, "bit")
