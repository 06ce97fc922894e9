"""Check images and labels before training on them: `python -m keras_radtl.audit PATH`.

Reports classes, groups, files that cannot be used, identical images, identical images with different labels, images
that look alike, and whether the configured split is possible. Takes the options of `fit`. Exit code 0 when the data
could be looked at, whatever was found, else 2.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace

from keras_radtl.cli.app import run_command
from keras_radtl.cli.options import add_config_options, config_from, make_parser
from keras_radtl.config import Config, UserError, set_key
from keras_radtl.data.duplicates import (
    Resolved,
    clusters_of_several,
    find_duplicates,
    label_conflicts,
    label_text,
    near_duplicates,
    perceptual_hashes,
    resolve,
)
from keras_radtl.data.images import load_images
from keras_radtl.data.sources import read_table
from keras_radtl.data.split import make_splits
from keras_radtl.data.table import PARTS, CaseTable

IMAGE_SIZE = 64  # pixels; enough for the perceptual hash


def main(argv: Sequence[str] | None = None) -> int:
    """Run the command; returns the exit code."""
    return run_command(_run, argv)


def _run(argv: Sequence[str] | None) -> None:
    parser = make_parser("audit", "Check images and labels: duplicates, label conflicts, bad files, groups, split.")
    parser.add_argument("path", nargs="?", help="the same as --data")
    parser.add_argument("--limit", type=int, default=20, help="findings of a kind that are listed (default: 20)")
    parser.add_argument(
        "--distance", type=int, default=2, help="bits of 63 in which look-alikes may differ (default: 2)"
    )
    add_config_options(parser)
    arguments = parser.parse_args(argv)
    config = config_from(arguments)
    if arguments.path is not None:
        config = set_key(config, "data.path", arguments.path)
    lines = report(config, arguments.limit, arguments.distance)
    sys.stdout.write("\n".join(lines) + "\n")


def report(config: Config, limit: int = 20, distance: int = 2) -> list[str]:
    """Return the lines of the report.

    Args:
        config: its parts `data` and `split` and its seed are used; bad images are always listed, never an error.
        limit: findings of a kind that are listed.
        distance: bits of 63 in which two images may differ and still count as look-alikes.
    Raises:
        UserError: when there is nothing to look at.
    """
    data = replace(config.data, on_bad_image="skip")
    table = read_table(data)
    images = load_images(table, data, IMAGE_SIZE)
    used = table.take(images.kept)
    clusters = find_duplicates(images.hashes)
    alike = near_duplicates(perceptual_hashes(images.pixels), clusters, distance)
    alike.sort(key=lambda pair: label_text(used, pair[0]) == label_text(used, pair[1]))
    lines = [f"{table.name}: {len(table)} images", *_classes(used), _groups(used), *_given(used)]
    bad = (f"{item.path}: {item.reason}" for item in table.rejected + images.rejected)
    lines += _listing("files that cannot be used", bad, limit)
    lines += _listing("clusters of identical images", (_names(used, r) for r in clusters_of_several(clusters)), limit)
    conflicts = label_conflicts(used, clusters)
    lines += _listing("identical images with different labels", (_names(used, r) for r in conflicts), limit)
    crossing = sum(label_text(used, a) != label_text(used, b) for a, b, _ in alike)
    title = f"pairs that look alike (at most {distance} of 63 bits differ), {crossing} of them with different labels"
    lines += _listing(title, (f"{_names(used, pair[:2])}, {pair[2]} bits" for pair in alike), limit)
    lines += _split(resolve(table, images, "keep" if data.on_label_conflict == "keep" else "drop"), config)
    return lines + [f"note: {note}" for note in used.notes + images.notes]


def _classes(table: CaseTable) -> list[str]:
    spelled = Counter(label_text(table, row) for row in range(len(table)))
    lines = ["labels: " + ", ".join(f"{name} {count}" for name, count in sorted(spelled.items()))]
    if table.multilabel:
        counts = [int((table.targets[:, i] == 1).sum()) for i in range(len(table.classes))]
    else:
        counts = [int((table.targets == i).sum()) for i in range(len(table.classes))]
    shares = [f"{name} {count} ({count / len(table):.1%})" for name, count in zip(table.classes, counts, strict=True)]
    return [*lines, "classes of the task: " + ", ".join(shares)]


def _groups(table: CaseTable) -> str:
    sizes = Counter(table.groups)
    return f"groups ({table.group_source}): {len(sizes)}, the largest of {max(sizes.values())} images"


def _given(table: CaseTable) -> list[str]:
    many = len(table.given) > 1
    return [
        f"given split{f', fold {number + 1}' if many else ''}: "
        + ", ".join(f"{part} {parts.count(part)}" for part in PARTS)
        for number, parts in enumerate(table.given)
    ]


def _names(table: CaseTable, rows: Iterable[int]) -> str:
    return " = ".join(f"{table.paths[row]} [{label_text(table, row)}]" for row in rows)


def _listing(title: str, findings: Iterable[str], limit: int) -> list[str]:
    findings = list(findings)
    more = [f"  ... {len(findings) - limit} more (--limit {len(findings)} lists all)"] if len(findings) > limit else []
    return [f"{title}: {len(findings)}", *(f"  {finding}" for finding in findings[: max(limit, 0)]), *more]


def _split(resolved: Resolved, config: Config) -> list[str]:
    try:
        splits = make_splits(
            resolved.table, resolved.clusters, config.split, config.data.given_split, config.split_seed
        )
    except UserError as error:
        return [f"split: not possible: {error}"]
    return [
        f"split{f', fold {s.fold}' if s.fold else ''}: train {len(s.train)}, val {len(s.val)}, test {len(s.test)}"
        for s in splits
    ]


if __name__ == "__main__":
    sys.exit(main())
