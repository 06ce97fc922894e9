"""Read the folder of a RadImageNet task: `images/` and `dataframe/{train,val,test}_fold{1..5}.csv`.

The tables may have a prefix (`breast_train_fold1.csv`). Their columns are a filename, relative to the task folder or to
`images/`, and a label (`acl_label`, `label`). The exam of an image is the number at the start of its file name:
1054_sagittal_19.000000.png belongs to exam 1054. Note that the folds of the published study divide exams.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

from keras_radtl.config import DataConfig, UserError
from keras_radtl.config.errors import listed
from keras_radtl.data.sources.csv_file import PATH_NAMES, clean_label, label_column
from keras_radtl.data.sources.groups import find_groups
from keras_radtl.data.sources.paths import Root, normalize_path
from keras_radtl.data.sources.rows import read_rows
from keras_radtl.data.table import PARTS, CaseTable, case_names, encode_labels, sort_classes

TABLE_NAME = re.compile(r"(.*_)?(train|val|test)_fold(\d{1,3})\.csv")
EXAM = re.compile(r"\d+(?=[_-])")


def is_task(folder: Path) -> bool:
    """Return whether `folder` is a RadImageNet task, with the tables of its folds in `dataframe/`."""
    tables = folder / "dataframe"
    return tables.is_dir() and any(TABLE_NAME.fullmatch(path.name) for path in tables.iterdir())


def read(path: Path, config: DataConfig) -> CaseTable:
    """Read the cases of all folds; each fold is a predefined split.

    Args:
        path: The task folder.
        config: The label column, and how groups are found.

    Returns:
        The `CaseTable`.

    Raises:
        UserError: If a table is missing, or if an image has two labels or is in two tables of a fold.
    """
    label_of: dict[str, str] = {}
    folds = []
    root = Root(path)
    for fold, tables in _tables(path).items():
        parts: dict[str, str] = {}
        for part in PARTS:
            for name, label, where in _read_table(path, tables[part], config, root, label_of):
                if label_of.setdefault(name, label) != label:
                    raise UserError(f"{where}: {name} is {label!r} here and {label_of[name]!r} elsewhere")
                if parts.setdefault(name, part) != part:
                    raise UserError(f"{where}: {name} is in both {parts[name]} and {part} of fold {fold}")
        folds.append(parts)
    paths = tuple(sorted(label_of))
    labels = tuple(label_of[name] for name in paths)
    classes, cases = sort_classes(labels), case_names(paths)
    splits = tuple(tuple(parts.get(name, "") for name in paths) for parts in folds)
    absent = [f"fold {number + 1}: {parts.count('')}" for number, parts in enumerate(splits) if "" in parts]
    notes = (f"images in no part of a fold: {', '.join(absent)}",) if absent else ()
    targets = encode_labels(labels, classes)
    table = CaseTable(
        path.resolve().name,
        path,
        cases,
        paths,
        cases,
        classes,
        targets,
        predefined_splits=splits,
        labels=labels,
        notes=notes,
    )
    return _with_exams(table) if config.groups == "auto" else find_groups(table, config.groups)


def _tables(path: Path) -> dict[int, dict[str, Path]]:
    """Return the table of each part, by fold."""
    found = [(TABLE_NAME.fullmatch(file.name), file) for file in sorted((path / "dataframe").iterdir())]
    found = [(match, file) for match, file in found if match]
    prefixes = sorted({match[1] or "" for match, _ in found})
    if len(prefixes) > 1:
        raise UserError(f"{path}/dataframe has the tables of {len(prefixes)} tasks: {', '.join(map(repr, prefixes))}")
    tables: dict[int, dict[str, Path]] = {}
    for match, file in found:
        tables.setdefault(int(match[3]), {})[match[2]] = file
    for fold, parts in tables.items():
        missing = [part for part in PARTS if part not in parts]
        if missing:
            raise UserError(f"No such file: {path}/dataframe/{prefixes[0]}{missing[0]}_fold{fold}.csv")
    return dict(sorted(tables.items()))


def _read_table(path: Path, file: Path, config: DataConfig, root: Root, known: dict[str, str]):
    """Yield (path, label, file and row) of one table; check the files that are not in `known`."""
    rows = read_rows(file)
    path_column = rows.find(PATH_NAMES)
    if path_column is None:
        raise UserError(f"{file}: no filename column. Columns: {listed(rows.header)}")
    column = label_column(rows, config.label)
    names = rows.convert(path_column, lambda text: _find_image(path, normalize_path(text), root, known))
    labels = rows.convert(column, clean_label)
    for index, (name, label) in enumerate(zip(names, labels, strict=True)):
        yield name, label, rows.where(index)


def _find_image(path: Path, name: str, root: Root, known: dict[str, str]) -> str:
    """Return the path of an image relative to the task folder; `name` may be relative to `images/`."""
    if name in known or f"images/{name}" in known:
        return name if name in known else f"images/{name}"
    if not (path / name).exists() and (path / "images" / name).exists():
        name = f"images/{name}"
    root.check(name)
    return name


def _with_exams(table: CaseTable) -> CaseTable:
    found = [EXAM.match(name.rpartition("/")[2]) for name in table.paths]
    alone = [case for case, match in zip(table.cases, found, strict=True) if match is None]
    if len(alone) == len(table):
        return find_groups(table, "auto")
    groups = tuple(match[0] if match else case for match, case in zip(found, table.cases, strict=True))
    table = replace(table, groups=groups, group_source="exam number in the file name")
    note = f"file names without exam number: {len(alone)} of {len(table)}; each is a separate exam"
    return table.with_notes(note) if alone else table
