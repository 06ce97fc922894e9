"""Class folders, tables, NumPy archives and RadImageNet folders that cannot be used."""

from __future__ import annotations

import csv
import io
import zipfile
from collections.abc import Callable, Iterator

import numpy as np

from corpus.case import AUDIT, EVALUATE, FIT, Case, Place, replaced
from corpus.damage import CONTENTS, KINDS, remove


def table(change: Callable[[list[dict]], object] = lambda rows: None) -> Callable[[Place], None]:
    """Return a preparation that writes the pictures and a changed table of them."""

    def prepare(place: Place) -> None:
        folder = place.copy("pictures", "data")
        files = sorted(folder.rglob("*.png"))
        rows = [
            {"path": str(f.relative_to(folder)), "label": f.parent.name, "patient": f"p{i}"}
            for i, f in enumerate(files)
        ]
        change(rows)
        text = io.StringIO()
        writer = csv.DictWriter(text, list(rows[0]), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)
        place.write("data/cases.csv", text.getvalue())

    return prepare


def content(change: Callable[[bytes], bytes]) -> Callable[[Place], None]:
    """Return a preparation that changes the bytes of a valid table."""

    def prepare(place: Place) -> None:
        table()(place)
        file = place.here / "data" / "cases.csv"
        file.write_bytes(change(file.read_bytes()))

    return prepare


def first(**values) -> Callable[[list[dict]], None]:
    """Return a change of the fourth row."""
    return lambda rows: rows[3].update(values)


def every(**values) -> Callable[[list[dict]], None]:
    """Return a change of all rows; a function of the row number gives the value."""

    def change(rows):
        for number, row in enumerate(rows):
            row.update({key: value(number) if callable(value) else value for key, value in values.items()})

    return change


def without(name: str) -> Callable[[list[dict]], None]:
    """Return a change that removes a column."""
    return lambda rows: [row.pop(name) for row in rows]


ROWS = {  # change of the rows, options, part of the line
    "no label column": (without("label"), [], "label"),
    "no path column": (without("path"), [], "path"),
    "an unknown label column": (lambda rows: None, ["--label", "finding"], "finding"),
    "an unknown group column": (lambda rows: None, ["--groups", "exam"], "exam"),
    "a missing file": (first(path="absent.png"), [], "absent.png"),
    "an empty label": (first(label=""), [], "row 5"),
    "an empty path": (first(path=""), [], "row 5"),
    "a path out of the folder": (first(path="../secret.png"), [], "row 5"),
    "an absolute path": (first(path="/etc/passwd"), [], "row 5"),
    "a drive": (first(path="C:\\x.png"), [], "row 5"),
    "a folder as image": (first(path="benign mass"), [], "row 5"),
    "a NUL path": (first(path="a\0b"), [], "NUL"),
    "a path of 5000 characters": (first(path="x" * 5000), [], "row 5"),
    "a path of 5000 folders": (first(path="x/" * 5000), [], "row 5"),
    "the same path twice": (lambda rows: rows[3].update(path=rows[2]["path"], label="other"), [], ""),
    "one label": (every(label="x"), [], ""),
    "a label of 5000 characters": (first(label="x" * 5000), [], ""),
    "a formula": (first(label="=1+1"), [], "row 5"),
    "a label of two lines": (first(label="a\nb"), [], ""),
    "a label each": (every(label=lambda i: f"c{i}"), [], ""),
    "an unknown part": (every(split="holdout"), [], "holdout"),
    "only training": (every(split="train"), [], ""),
    "a patient in two parts": (
        every(patient=lambda i: f"p{i // 2}", split=lambda i: ("train", "val", "test")[i % 3]),
        [],
        "p0",
    ),
    "an empty part": (every(split=lambda i: "" if i else "train"), [], ""),
    "labels that are words": (every(a="x", b="1"), ["--label", "a,b"], ""),
    "labels above 1": (every(a="2", b="1"), ["--label", "a,b"], ""),
    "labels that are infinite": (every(a="inf", b="1"), ["--label", "a,b"], ""),
    "a label that is always 0": (every(a="0", b=lambda i: str(i % 2)), ["--label", "a,b"], ""),
    "one label of several": (every(a="1"), ["--label", "a,nope"], "nope"),
    "the same label twice": (every(a="1"), ["--label", "a,a"], ""),
    "one patient": (every(patient="p"), ["--groups", "patient"], ""),
    "folds that are words": (every(fold="x"), [], ""),
    "folds and split": (every(fold=lambda i: str(i % 3), split="train"), [], ""),
    "a positive class of no case": (lambda rows: None, ["--positive", "nope"], "nope"),
    "more folds than patients": (lambda rows: None, ["--folds", "70"], "folds"),
}
TEXTS = {
    **{
        f"{kind} table": change
        for kind, change in {
            "a header without rows": lambda old: old.split(b"\n")[0] + b"\n",
            "blank": lambda old: b"\n \n\n",
            "a byte-order mark": lambda old: b"\xef\xbb\xbf",
            "Latin-1": lambda old: old + "é,x,p\n".encode("latin-1"),
            "a NUL byte": lambda old: old.replace(b"png", b"p\0g", 1),
            "a repeated column": lambda old: old.replace(b"patient", b"label", 1),
            "a row too short": lambda old: old + b"x\n",
            "a row too long": lambda old: old + b"a,b,c,d,e\n",
            "an open quote": lambda old: old + b'"abc',
            "a cell of 200 KB": lambda old: old + b"x" * 200_000 + b",a,b\n",
            "100 000 columns": lambda old: (
                b",".join(b"c%d" % i for i in range(100_000)) + b"\n" + b"," * 99_999 + b"\n"
            ),
            "no header": lambda old: old.split(b"\n", 1)[1],
            "spaces": lambda old: old.replace(b",", b" "),
            "pipes": lambda old: old.replace(b",", b"|"),
            "HTML": lambda old: b"<html><body>Not found</body></html>",
            "JSON": lambda old: b'{"path": [1, 2]}',
            "a spreadsheet": lambda old: b"PK\3\4" + bytes(1000),
            "an empty header": lambda old: b",,\n" + old.split(b"\n", 1)[1],
            "a Git LFS pointer": lambda old: b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 3\n",
        }.items()
    },
}


def arrays(**changes) -> dict[str, np.ndarray]:
    """Return the arrays of a valid MedMNIST file with changes; None removes one."""
    random, made = np.random.default_rng(0), {}
    for part, count in (("train", 30), ("val", 10), ("test", 10)):
        made[f"{part}_images"] = random.integers(0, 256, (count, 28, 28), np.uint8)
        made[f"{part}_labels"] = np.arange(count).reshape(-1, 1) % 2
    return {name: value for name, value in (made | changes).items() if value is not None}


def archive(made: dict[str, np.ndarray]) -> bytes:
    """Return a NumPy archive."""
    file = io.BytesIO()
    np.savez(file, **made)
    return file.getvalue()


def bomb() -> bytes:
    """Return an archive with an array that says it has terabytes."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as made:
        for name, value in arrays().items():
            entry = io.BytesIO()
            np.save(entry, value)
            text = entry.getvalue()
            if name == "train_images":
                text = text.replace(b"(30, 28, 28)", b"(30000, 28000, 28000)"[:12])
            made.writestr(f"{name}.npy", text)
    return file.getvalue()


IMAGES = arrays()["train_images"]
ARCHIVES: dict[str, Callable[[], bytes]] = {
    "empty": lambda: b"",
    "text": lambda: b"no archive",
    "truncated": lambda: archive(arrays())[:5000],
    "another ZIP": lambda: b"PK\5\6" + bytes(18),
    "declared size": bomb,
    "a missing array": lambda: archive(arrays(test_labels=None)),
    "float images": lambda: archive(arrays(train_images=IMAGES / 255.0)),
    "images of 5 dimensions": lambda: archive(arrays(train_images=IMAGES[None, None])),
    "2 channels": lambda: archive(arrays(train_images=np.stack([IMAGES] * 2, -1))),
    "float labels": lambda: archive(arrays(train_labels=np.zeros(30))),
    "negative labels": lambda: archive(arrays(train_labels=-np.ones((30, 1), int))),
    "fewer labels": lambda: archive(arrays(train_labels=np.zeros((3, 1), int))),
    "objects": lambda: archive(arrays(train_labels=np.array([{}] * 30, object))),
    "text labels": lambda: archive(arrays(train_labels=np.array(["a"] * 30))),
    "no cases": lambda: archive(arrays(val_images=IMAGES[:0], val_labels=np.zeros((0, 1), int))),
    "other sizes": lambda: archive(arrays(val_images=np.zeros((10, 30, 30), np.uint8))),
    "labels of 3 values": lambda: archive(
        arrays(**{f"{p}_labels": np.full((n, 2), 2) for p, n in (("train", 30), ("val", 10), ("test", 10))})
    ),
    "one class": lambda: archive(
        arrays(**{f"{p}_labels": np.zeros((n, 1), int) for p, n in (("train", 30), ("val", 10), ("test", 10))})
    ),
    "a class only in test": lambda: archive(arrays(test_labels=np.full((10, 1), 7))),
}


def _task(change: Callable[[Place], object]) -> Callable[[Place], None]:
    def prepare(place: Place) -> None:
        from PIL import Image

        (place.here / "task" / "images").mkdir(parents=True)
        for part, numbers in (("train", range(20)), ("val", range(20, 26)), ("test", range(26, 32))):
            rows = []
            for number in numbers:
                name = f"{number}_sagittal_1.png"
                Image.fromarray(np.full((32, 32), number * 5, np.uint8)).save(place.here / "task" / "images" / name)
                rows.append(f"images/{name},{'ab'[number % 2]}")
            place.write(f"task/dataframe/{part}_fold1.csv", "filename,label\n" + "\n".join(rows) + "\n")
        change(place)

    return prepare


AUDITED = (("audit", "one class"), ("audit", "a class only in test"))  # reported, exit code 0
TASKS = {
    "no table of val": (lambda p: remove(p.here / "task/dataframe/val_fold1.csv"), "val"),
    "an empty table": (lambda p: p.write("task/dataframe/val_fold1.csv", ""), "val_fold1.csv"),
    "no label": (
        lambda p: p.write("task/dataframe/val_fold1.csv", "filename\nimages/20_sagittal_1.png\n"),
        "val_fold1.csv",
    ),
    "a missing image": (lambda p: remove(p.here / "task/images/3_sagittal_1.png"), "3_sagittal_1.png"),
    "an image twice": (
        lambda p: p.write("task/dataframe/val_fold1.csv", "filename,label\nimages/3_sagittal_1.png,b\n"),
        "3_sagittal_1.png",
    ),
    "two labels": (
        lambda p: p.write("task/dataframe/val_fold1.csv", "filename,label\nimages/3_sagittal_1.png,a\n"),
        "3_sagittal_1.png",
    ),
    "a table that is a folder": (
        lambda p: (remove(p.here / "task/dataframe/val_fold1.csv"), (p.here / "task/dataframe/val_fold1.csv").mkdir()),
        "val_fold1.csv",
    ),
    "no images folder": (lambda p: remove(p.here / "task/images"), "sagittal"),
    "a path out": (
        lambda p: p.write("task/dataframe/val_fold1.csv", "filename,label\n../../x.png,a\n"),
        "val_fold1.csv",
    ),
    "a binary table": (lambda p: p.write("task/dataframe/val_fold1.csv", bytes(range(256))), "val_fold1.csv"),
}
FOLDERS = {
    "no class folders": (lambda p: [remove(f) for f in (p.here / "data").iterdir()], "data"),
    "one class": (lambda p: remove(p.here / "data" / "benign mass"), ""),
    "empty class folders": (lambda p: [remove(f) for f in (p.here / "data").rglob("*.png")], "data"),
    "only text": (lambda p: [f.rename(f.with_suffix(".txt")) for f in (p.here / "data").rglob("*.png")], "data"),
    "one image each": (lambda p: [f.unlink() for f in (p.here / "data").rglob("*.png") if "(0)" not in f.name], ""),
    "a link out": (lambda p: (p.here / "data" / "benign mass" / "a.png").symlink_to("/etc/passwd"), "a.png"),
    "a folder link out": (lambda p: (p.here / "data" / "more").symlink_to(p.shared["pictures"] / "benign mass"), ""),
    "a name that is not UTF-8": (lambda p: (p.here / "data" / "benign mass" / "a\udcff.png").write_bytes(b"x"), ""),
    "a split folder without classes": (lambda p: [(p.here / "data" / n).mkdir() for n in ("train", "val")], ""),
    "all images equal": (
        lambda p: [
            f.write_bytes(sorted((p.here / "data").rglob("*.png"))[0].read_bytes())
            for f in (p.here / "data").rglob("*.png")
        ],
        "",
    ),
}


def _folder(change: Callable[[Place], object]) -> Callable[[Place], None]:
    def prepare(place: Place) -> None:
        place.copy("pictures", "data")
        change(place)

    return prepare


def cases() -> Iterator[Case]:
    """Yield the cases."""
    fit, evaluate, audit = (
        replaced(FIT, "--data", "data/cases.csv"),
        replaced(EVALUATE, "--data", "data/cases.csv"),
        ["data/cases.csv", *AUDIT[1:]],
    )
    for kind, (change, options, expected) in ROWS.items():
        yield Case(f"fit table with {kind}", "fit", [*fit, *options], expected, table(change))
    for kind in (
        "no label column",
        "no path column",
        "a missing file",
        "an empty path",
        "a formula",
        "a folder as image",
        "a NUL path",
    ):
        change, options, expected = ROWS[kind]
        yield Case(f"audit table with {kind}", "audit", [*audit, *options], expected, table(change))
        yield Case(f"evaluate table with {kind}", "evaluate", [*evaluate, *options], expected, table(change))
    for kind, change in TEXTS.items():
        yield Case(f"fit {kind}", "fit", fit, "cases.csv", content(change))
        yield Case(f"evaluate {kind}", "evaluate", evaluate, "cases.csv", content(change))
    for kind, damage in {**KINDS, **CONTENTS}.items():

        def prepare(place, damage=damage):
            table()(place)
            damage(place.here / "data" / "cases.csv")

        if kind != "truncated":
            yield Case(f"fit table: {kind}", "fit", fit, "cases.csv", prepare)
            yield Case(f"audit table: {kind}", "audit", audit, "cases.csv", prepare)
    for kind, make in ARCHIVES.items():
        for command, base in (("fit", FIT), ("audit", ["--data", "x", *AUDIT[1:]])):
            if (command, kind) not in AUDITED:
                yield Case(
                    f"{command} archive: {kind}",
                    command,
                    replaced(base, "--data", "a.npz"),
                    "" if kind == "one class" else "a.npz" if kind not in ("a class only in test",) else "7",
                    lambda place, make=make: place.write("a.npz", make()),
                )
    for kind, damage in KINDS.items():
        yield Case(
            f"fit archive: {kind}",
            "fit",
            replaced(FIT, "--data", "a.npz"),
            "",
            lambda place, damage=damage: damage(place.here / "a.npz"),
        )
    for kind, (change, expected) in TASKS.items():
        yield Case(f"fit task with {kind}", "fit", replaced(FIT, "--data", "task"), expected, _task(change))
        yield Case(f"audit task with {kind}", "audit", ["task", *AUDIT[1:]], expected, _task(change))
    for kind, (change, expected) in FOLDERS.items():
        yield Case(f"fit folder with {kind}", "fit", replaced(FIT, "--data", "data"), expected, _folder(change))
    for name in ("a.doc", "a.xlsx", "a.parquet", "a.zip", "a", "a.png"):
        yield Case(
            f"fit {name}", "fit", replaced(FIT, "--data", name), name, lambda place, name=name: place.write(name, "x")
        )
    for device in ("/dev/null", "/dev/zero", "/proc/self/mem"):
        yield Case(f"fit {device}", "fit", replaced(FIT, "--data", device), device)
