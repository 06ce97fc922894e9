"""Outputs that cannot be written, or must not be: refused before images are read or anything is computed."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

from corpus.case import ANALYZE, COMPARE, EVALUATE, FIT, PHANTOMS, PREDICT, SWEEP, TUNE, Case, Place

FOLDERS = {
    "fit": FIT,
    "evaluate": EVALUATE,
    "compare": COMPARE,
    "analyze": ANALYZE,
    "sweep": SWEEP,
    "tune": TUNE,
    "phantoms": PHANTOMS,
}
FILES = {  # option of a file: command, arguments before it
    "predict --output": ("predict", [*PREDICT[:2], "--output"], ".csv"),
    "compare --json": ("compare", [*COMPARE[:2], "--output", "out", "--json"], ".json"),
    "compare --figure": ("compare", [*COMPARE[:2], "--output", "out", "--figure"], ".png"),
    "analyze --json": ("analyze", [*ANALYZE, "--json"], ".json"),
}
BAD: dict[str, tuple[str, Callable[[Place], object] | None]] = {  # path, what is prepared
    "below a file": ("file/sub", lambda place: place.write("file", "x")),
    "far below a file": ("file/a/b/c", lambda place: place.write("file", "x")),
    "in /proc": ("/proc/x", None),
    "below /proc": ("/proc/x/y/z", None),
    "in /sys": ("/sys/x", None),
    "300 characters": ("x" * 300, None),
    "250 characters": ("x" * 250, None),
    "5000 characters": ("x/" * 2500, None),
    "NUL": ("a\0b", None),
    "a home that is not written out": ("~nosuchuser/x", None),
    "half a character": ("a\ud800", None),
    "a link to itself": ("loop", lambda place: (place.here / "loop").symlink_to("loop")),
    "below a link to itself": ("loop/x", lambda place: (place.here / "loop").symlink_to("loop")),
    "a named pipe": ("pipe", lambda place: os.mkfifo(place.here / "pipe")),
    "a device": ("/dev/null", None),
    "below a device": ("/dev/null/x", None),
    "a dangling link": ("link", lambda place: (place.here / "link").symlink_to("/proc/nowhere/x")),
    "empty": ("", None),
}


def _argv(command: str, path: str) -> list[str]:
    argv = list(FOLDERS[command])
    if command == "phantoms":
        argv[0] = path
    elif "--output" in argv:
        argv[argv.index("--output") + 1] = path
    return argv


def cases() -> Iterator[Case]:
    """Yield the cases."""
    for command in FOLDERS:
        for kind, (path, prepare) in BAD.items():
            yield Case(
                f"{command}: {kind}",
                command,
                _argv(command, path),
                "" if not path.strip("x/") or "\0" in path or "\ud800" in path else path[:20],
                prepare,
                early=True,
            )
        yield Case(
            f"{command}: a file",
            command,
            _argv(command, "file"),
            "file",
            lambda place: place.write("file", "x"),
            early=True,
        )
        if command in ("fit", "evaluate", "tune", "phantoms"):
            for option in ([], ["--overwrite"]) if command != "evaluate" else ([],):
                yield Case(
                    f"{command}: other files {option}",
                    command,
                    [*_argv(command, "other"), *option],
                    "other",
                    lambda place: place.write("other/thesis.tex", "x"),
                    early=True,
                )
                yield Case(
                    f"{command}: the working folder {option}",
                    command,
                    [*_argv(command, "."), *option],
                    "",
                    lambda place: place.write("thesis.tex", "x"),
                    early=True,
                )
                yield Case(
                    f"{command}: the pictures {option}",
                    command,
                    [*_argv(command, "<pictures>"), *option],
                    "data",
                    early=True,
                )
    for kind, (command, argv, suffix) in FILES.items():
        for name, (path, prepare) in BAD.items():
            shown = (
                path + suffix
                if path and name not in ("a link to itself", "a named pipe", "a device", "a dangling link")
                else path
            )
            if kind == "compare --figure" and shown == path:
                continue  # refused by its suffix
            yield Case(
                f"{kind}: {name}",
                command,
                [*argv, shown],
                "" if not path.strip("x/") or "\0" in path or "\ud800" in path else path[:20],
                prepare,
                early=True,
            )
        yield Case(
            f"{kind}: a folder",
            command,
            [*argv, f"folder{suffix}"],
            "folder",
            lambda place, suffix=suffix: (place.here / f"folder{suffix}").mkdir(),
            early=True,
        )
        yield Case(f"{kind}: the root", command, [*argv, "/"], "/", early=True)
    for suffix in ("", ".PDF", ".jpg", ".png/"):
        yield (
            Case(
                f"compare --figure: suffix {suffix!r}",
                "compare",
                [*COMPARE, "--figure", f"x{suffix}"],
                ".png" if suffix != ".png/" else "",
                early=True,
            )
            if suffix != ".png/"
            else Case("compare --figure: a folder name", "compare", [*COMPARE, "--figure", "x/"], ".png", early=True)
        )
    yield from _inputs()


def _inputs() -> Iterator[Case]:
    """Yield outputs that would replace an input or a finished result."""

    def scores(place: Place) -> None:
        for name in ("a.csv", "b.csv", "table.csv"):
            place.write(name, (place.shared["scores"] / name).read_bytes())

    def picture(place: Place) -> None:
        place.write("a.png", place.shared["image"].read_bytes())

    yield Case(
        "predict: an existing file",
        "predict",
        PREDICT,
        "new.csv",
        lambda place: place.write("new.csv", "thesis"),
        early=True,
    )
    yield Case(
        "predict: an existing table of bad images",
        "predict",
        [*PREDICT, "--on-bad-image", "skip"],
        "new_rejected.csv",
        lambda place: place.write("new_rejected.csv", "thesis"),
        early=True,
    )
    yield Case(
        "predict: an existing link",
        "predict",
        PREDICT,
        "new.csv",
        lambda place: (place.write("x.csv", "thesis"), (place.here / "new.csv").symlink_to("x.csv")),
        early=True,
    )
    for option in ([], ["--overwrite"]):
        yield Case(
            f"predict: an image {option}",
            "predict",
            ["<run>", "a.png", "--output", "a.png", *option],
            "a.png",
            picture,
            early=True,
        )
        yield Case(
            f"predict: an image by a link {option}",
            "predict",
            ["<run>", "a.png", "--output", "link.csv", *option],
            "link.csv",
            lambda place: (picture(place), (place.here / "link.csv").symlink_to("a.png")),
            early=True,
        )
        yield Case(
            f"predict: a file of the run {option}",
            "predict",
            ["run", "<image>", "--output", "run/model.keras", *option],
            "model.keras",
            lambda place: place.copy("run"),
            early=True,
        )
    yield Case(
        "compare: an input as JSON", "compare", ["a.csv", "b.csv", "--json", "a.csv"], "a.csv", scores, early=True
    )
    yield Case(
        "compare: an input by a link",
        "compare",
        ["a.csv", "b.csv", "--json", "c.json"],
        "c.json",
        lambda place: (scores(place), (place.here / "c.json").symlink_to("a.csv")),
        early=True,
    )
    yield Case(
        "analyze: the table as JSON",
        "analyze",
        ["table.csv", *ANALYZE[1:], "--json", "table.csv"],
        "table.csv",
        scores,
        early=True,
    )
    yield Case(
        "analyze: the table by a link",
        "analyze",
        ["table.csv", *ANALYZE[1:], "--json", "c.json"],
        "c.json",
        lambda place: (scores(place), (place.here / "c.json").symlink_to("table.csv")),
        early=True,
    )
    yield Case(
        "compare: JSON and figure are one file",
        "compare",
        ["<scores>/a.csv", "<scores>/b.csv", "--json", "x.png", "--figure", "x.png"],
        "x.png",
        early=True,
    )
    yield Case(
        "evaluate: a finished run",
        "evaluate",
        [*EVALUATE[:-1], "run"],
        "run",
        lambda place: place.copy("run"),
        early=True,
    )
    yield Case(
        "fit: a finished run", "fit", _argv("fit", "run"), "--overwrite", lambda place: place.copy("run"), early=True
    )
    yield Case(
        "fit: an evaluation",
        "fit",
        [*_argv("fit", "out"), "--overwrite"],
        "out",
        lambda place: place.write("out/metrics.json", "{}"),
        early=True,
    )
    yield Case(
        "phantoms: images of somebody",
        "phantoms",
        [*_argv("phantoms", "data"), "--overwrite"],
        "data",
        lambda place: place.copy("pictures", "data"),
        early=True,
    )
