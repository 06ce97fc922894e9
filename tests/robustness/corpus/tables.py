"""Tables of scores for `compare` and of results for `analyze` that cannot be used."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from corpus.case import ANALYZE, Case, Place
from corpus.damage import CONTENTS, KINDS

COMPARE = ["a.csv", "<scores>/b.csv", "--output", "out"]


def _cell(row: int, column: int, value: str) -> Callable[[str], str]:
    def change(text: str) -> str:
        lines = [line.split(",") for line in text.splitlines()]
        lines[row][column] = value
        return "\n".join(map(",".join, lines)) + "\n"

    return change


def _column(column: int, value: str | Callable[[int], str]) -> Callable[[str], str]:
    def change(text: str) -> str:
        lines = [line.split(",") for line in text.splitlines()]
        for number, line in enumerate(lines[1:]):
            line[column] = value if isinstance(value, str) else value(number)
        return "\n".join(map(",".join, lines)) + "\n"

    return change


SHARED: dict[str, Callable[[str], str]] = {
    "only a header": lambda text: text.splitlines()[0] + "\n",
    "a short row": lambda text: text + "x\n",
    "a long row": lambda text: text + "a,b,c,d,e,f,g\n",
    "an open quote": lambda text: text + '"x',
    "a cell of 200 KB": lambda text: text + "x" * 200_000 + ",1,1\n",
    "100 000 columns": lambda text: ",".join(f"c{i}" for i in range(100_000)) + "\n" + "," * 99_999 + "\n",
    "Latin-1": lambda text: text,
    "no header": lambda text: text.split("\n", 1)[1],
    "blank lines": lambda text: "\n\n\n",
    "a column twice": lambda text: text.replace(text.split(",")[1], text.split(",")[0], 1),
    "HTML": lambda text: "<html></html>\n",
    "JSON": lambda text: '{"a": [1, 2]}\n',
    "pipes": lambda text: text.replace(",", "|"),
    "NUL": lambda text: text.replace(",", ",\0", 5),
}
SCORES: dict[str, Callable[[str], str]] = {
    "no score": lambda text: text.replace("score", "skore", 1),
    "no label": lambda text: text.replace("label", "lable", 1),
    "no case": lambda text: text.replace("case", "kase", 1),
    "a case twice": lambda text: text + text.splitlines()[-1] + "\n",
    "a case less": lambda text: "\n".join(text.splitlines()[:-1]) + "\n",
    "a case more": lambda text: text + "c99,1,0.5\n",
    "an empty case": _cell(3, 0, ""),
    "label 2": _cell(3, 1, "2"),
    "label yes": _cell(3, 1, "yes"),
    "an empty label": _cell(3, 1, ""),
    "label NaN": _cell(3, 1, "nan"),
    "score NaN": _cell(3, 2, "nan"),
    "an infinite score": _cell(3, 2, "inf"),
    "score word": _cell(3, 2, "x"),
    "an empty score": _cell(3, 2, ""),
    "score 1e999": _cell(3, 2, "1e999"),
    "Arabic digits in a label": _cell(3, 1, "١"),
    "all positive": _column(1, "1"),
    "all negative": _column(1, "0"),
    "other labels": _column(1, lambda i: str((i + 1) % 2)),
    "other cases": _column(0, lambda i: f"x{i}"),
    "a decimal comma": _cell(3, 2, '"0,5"'),
}
RESULTS: dict[str, tuple[Callable[[str], str], list[str], str]] = {
    "no response": (lambda text: text.replace("auc", "uac", 1), [], "auc"),
    "all responses empty": (_column(3, ""), [], "auc"),
    "words": (_column(3, "x"), [], "auc"),
    "one word": (_cell(3, 3, "x"), [], "auc"),
    "an infinite response": (_cell(3, 3, "inf"), [], "auc"),
    "1e999": (_cell(3, 3, "1e999"), [], "auc"),
    "1e308": (_column(3, lambda i: f"{'-' * (i % 2)}1e308"), [], "auc"),
    "a constant response": (_column(3, "0.5"), [], ""),
    "one row": (lambda text: "\n".join(text.splitlines()[:2]) + "\n", [], ""),
    "two rows": (lambda text: "\n".join(text.splitlines()[:3]) + "\n", [], ""),
    "one level": (_column(0, "linear"), [], "head"),
    "one group": (_column(1, "a"), [], "task"),
    "a level each": (_column(1, lambda i: f"t{i}"), [], "task"),
    "a fixed column that is the response": (lambda text: text, ["--fixed", "auc"], "auc"),
    "fixed and random the same": (lambda text: text, ["--random", "head"], "head"),
    "an unknown fixed column": (lambda text: text, ["--fixed", "nope"], "nope"),
    "an unknown random column": (lambda text: text, ["--random", "nope"], "nope"),
    "rank by nothing": (lambda text: text, ["--rank-by", "nope"], "nope"),
    "within without rank by": (lambda text: text, ["--within", "task"], "within"),
    "rank by one level": (_column(0, "linear"), ["--fixed", "seed", "--rank-by", "head"], "head"),
    "confounded columns": (_column(2, lambda i: str(i % 2)), ["--fixed", "head,seed", "--categorical", "seed"], ""),
}
UNSURE = ("confounded columns", "a constant response", "blank lines")


def _changed(name: str, source: str, change: Callable[[str], str]) -> Callable[[Place], None]:
    def prepare(place: Place) -> None:
        text = change((place.shared["scores"] / source).read_text())
        place.write(name, text)

    return prepare


def cases() -> Iterator[Case]:
    """Yield the cases."""
    analyze = ["table.csv", *ANALYZE[1:]]
    for kind, change in {**SHARED, **SCORES}.items():
        if kind != "Latin-1":
            yield Case(
                f"compare {kind}",
                "compare",
                COMPARE,
                ""
                if kind in ("all positive", "all negative", "other labels", "other cases", "a case less", "a case more")
                else "a.csv",
                _changed("a.csv", "a.csv", change),
            )
            yield Case(
                f"compare, second: {kind}",
                "compare",
                ["<scores>/b.csv", "a.csv", "--output", "out"],
                "a.csv",
                _changed("a.csv", "a.csv", change),
            )
    for kind, change in SHARED.items():
        if kind != "Latin-1":
            yield Case(
                f"analyze {kind}",
                "analyze",
                analyze,
                "" if kind == "no header" else "table.csv",
                _changed("table.csv", "table.csv", change),
            )
    for kind, (change, options, expected) in RESULTS.items():
        if kind not in UNSURE:
            yield Case(
                f"analyze {kind}", "analyze", [*analyze, *options], expected, _changed("table.csv", "table.csv", change)
            )
    for kind, damage in {**KINDS, **CONTENTS}.items():
        if kind == "truncated":
            continue

        def prepare(place, damage=damage, name="a.csv"):
            place.write(name, (place.shared["scores"] / "a.csv").read_bytes())
            damage(place.here / name)

        yield Case(f"compare file: {kind}", "compare", COMPARE, "a.csv", prepare)
        yield Case(f"analyze file: {kind}", "analyze", ["a.csv", *ANALYZE[1:]], "a.csv", prepare)
    for content in (b"case,label,score\n\xe9,1,0.5\nb,0,0.1\n",):
        yield Case(
            "compare Latin-1", "compare", COMPARE, "a.csv", lambda place, content=content: place.write("a.csv", content)
        )
        yield Case(
            "analyze Latin-1",
            "analyze",
            ["a.csv", *ANALYZE[1:]],
            "a.csv",
            lambda place, content=content: place.write("a.csv", content),
        )
    yield Case(
        "compare clustered without groups",
        "compare",
        [*COMPARE, "--clustered"],
        "group",
        _changed("a.csv", "a.csv", lambda text: text),
    )
    yield Case(
        "compare clustered with an empty group",
        "compare",
        ["a.csv", "b.csv", "--output", "out", "--clustered"],
        "group",
        lambda place: [
            _changed(
                n,
                n,
                lambda text: (
                    "\n".join(
                        f"{line},{'group' if not i else '' if i == 3 else f'g{i // 2}'}"
                        for i, line in enumerate(text.splitlines())
                    )
                    + "\n"
                ),
            )(place)
            for n in ("a.csv", "b.csv")
        ],
    )
    yield Case(
        "compare clustered with other groups",
        "compare",
        ["a.csv", "b.csv", "--output", "out", "--clustered"],
        "group",
        lambda place: [
            _changed(
                n,
                n,
                lambda text, k=k: (
                    "\n".join(
                        f"{line},{'group' if not i else f'g{i // k}'}" for i, line in enumerate(text.splitlines())
                    )
                    + "\n"
                ),
            )(place)
            for n, k in (("a.csv", 2), ("b.csv", 3))
        ],
    )
    yield Case(
        "compare clustered with one group",
        "compare",
        ["a.csv", "b.csv", "--output", "out", "--clustered"],
        "group",
        lambda place: [
            _changed(
                n,
                n,
                lambda text: (
                    "\n".join(f"{line},{'group' if not i else 'g'}" for i, line in enumerate(text.splitlines())) + "\n"
                ),
            )(place)
            for n in ("a.csv", "b.csv")
        ],
    )
    yield Case("compare the pictures", "compare", ["<pictures>", "<scores>/a.csv", "--output", "out"], "pictures")
