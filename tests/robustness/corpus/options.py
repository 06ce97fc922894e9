"""Every option of every command with values of a wrong type, out of range, empty and absurd."""

from __future__ import annotations

from collections.abc import Iterator

from corpus.case import ANALYZE, AUDIT, COMPARE, EVALUATE, FIT, PHANTOMS, PREDICT, SWEEP, TINY, TUNE, Case, replaced
from keras_radtl.config.arguments import ARGUMENTS, floats, ints

LONG = "x" * 5000
INTEGER = {
    "a word": "x",
    "a fraction": "1.5",
    "empty": "",
    "NaN": "nan",
    "infinity": "inf",
    "negative": "-1",
    "30 digits": "9" * 30,
    "5000 digits": "9" * 5000,
    "a superscript": "²",
    "Arabic digits": "٣",
    "NUL": "1\0",
    "two lines": "1\n2",
    "hexadecimal": "0x10",
}
NUMBER = {
    "a word": "x",
    "empty": "",
    "NaN": "nan",
    "infinity": "inf",
    "minus infinity": "-inf",
    "an overflow": "1e400",
    "negative": "-1",
    "1e300": "1e300",
    "a comma": "1,5",
    "NUL": "1\0",
    "Arabic digits": "٣",
}
INTEGERS = {
    "a word": "x",
    "empty": "",
    "a gap": "1,,2",
    "zeros": "0,0",
    "fractions": "1.5,2",
    "negative": "-1,2",
    "30 digits": "9" * 30,
    "semicolons": "1;2",
    "NUL": "1\0,2",
    "superscripts": "²,²",
}
NUMBERS = {
    "a word": "x",
    "empty": "",
    "a gap": "1,,2",
    "NaN": "nan,1",
    "infinity": "inf",
    "negative": "-1,1",
    "an overflow": "1e400",
    "NUL": "1\0,2",
}
CHOICE = {"unknown": "nope", "empty": "", "NUL": "a\0b", "two lines": "a\nb", "5000 characters": LONG}
FREE = {"NUL": "a\0b", "5000 characters": LONG, "half a character": "a\ud800"}  # of options that take any text
ANY_TEXT = ("label", "positive", "groups", "weights_dir")
KINDS = {int: INTEGER, float: NUMBER, ints: INTEGERS, floats: NUMBERS, str: CHOICE}
OWN = {  # options of one command: its valid command line, and the values of each option
    "fit": (FIT, {"--feature-cache-size": NUMBER, "--feature-dtype": CHOICE}),
    "audit": (AUDIT, {"--limit": INTEGER, "--distance": {**INTEGER, "too far": "100000"}}),
    "compare": (
        COMPARE,
        {
            "--split": CHOICE,
            "--threshold": {k: v for k, v in NUMBER.items() if k not in ("negative", "1e300")},
            "--alpha": {**NUMBER, "zero": "0", "one": "1"},
            "--correction": CHOICE,
            "--mcnemar": CHOICE,
        },
    ),
    "analyze": (
        ANALYZE,
        {
            "--response": {**CHOICE, "a word": "x"},
            "--fixed": {k: v for k, v in CHOICE.items() if v},
            "--random": {k: v for k, v in CHOICE.items() if v},
            "--categorical": {k: v for k, v in CHOICE.items() if v},
            "--method": CHOICE,
            "--rank-by": {k: v for k, v in CHOICE.items() if v},
            "--within": {k: v for k, v in CHOICE.items() if v},
            "--reference": {
                "no level": "head",
                "no column": "=linear",
                "empty": "",
                "unknown level": "head=nope",
                "unknown column": "nope=linear",
                "NUL": "head=\0",
                "5000 characters": LONG,
            },
        },
    ),
    "sweep": (
        SWEEP,
        {
            "--engine": CHOICE,
            "--runs-per-process": INTEGER,
            "--feature-cache-size": NUMBER,
            "--skip-missing": {"unknown": "nope", "NUL": "a\0b", "5000 characters": LONG},
            "--ray-address": {"with the local engine": "10.0.0.1:6379"},
        },
    ),
    "tune": (
        TUNE,
        {
            "--algorithm": CHOICE,
            "--max-epochs": {**INTEGER, "zero": "0"},
            "--trials": INTEGER,
            "--factor": INTEGER,
            "--min-epochs": {**INTEGER, "above the maximum": "9"},
            "--iterations": INTEGER,
            "--keep": INTEGER,
            "--retries": INTEGER,
            "--feature-cache-size": NUMBER,
        },
    ),
    "phantoms": (
        PHANTOMS,
        {
            "--count": {**INTEGER, "1e12": "1000000000000", "19": "19"},
            "--image-size": {**INTEGER, "31": "31", "100000": "100000"},
            "--difficulty": NUMBER,
            "--seed": INTEGER,
        },
    ),
}
BASES = {
    "fit": FIT,
    "audit": AUDIT,
    "evaluate": EVALUATE,
    "predict": PREDICT,
    "compare": COMPARE,
    "analyze": ANALYZE,
    "sweep": SWEEP,
    "tune": TUNE,
    "phantoms": PHANTOMS,
    "models": [],
    "doctor": [],
}
SWITCHES = {
    "fit": ("--resume", "--overwrite", "--tensorboard", "--no-reuse", "--print-config"),
    "predict": ("--overwrite",),
    "compare": ("--clustered",),
    "sweep": ("--dry-run", "--no-reuse", "--save-models", "--figures"),
    "tune": ("--overwrite", "--no-reuse", "--print-space"),
    "phantoms": ("--masks", "--overwrite"),
}


def cases() -> Iterator[Case]:
    """Yield the cases."""
    yield from _configuration("fit", FIT, every=True)
    yield from _configuration("audit", AUDIT, every=False)
    yield from _configuration("sweep", SWEEP, every=False)
    yield from _configuration("tune", TUNE, every=False)
    for command, (base, options) in OWN.items():
        for option, values in options.items():
            for kind, value in values.items():
                expected = "" if command == "analyze" or option == "--skip-missing" else option
                yield Case(f"{command} {option} {kind}", command, replaced(base, option, value), expected)
    for command, base in BASES.items():
        yield Case(f"{command} unknown option", command, [*base, "--colour", "red"], "--colour")
        yield Case(f"{command} unknown short option", command, [*base, "-z"], "-z")
        yield Case(f"{command} abbreviated option", command, [*base, "--versio"], "--versio")
        yield Case(f"{command} long unknown option", command, [*base, "--" + LONG], "--xxx")
        if command not in ("predict", "compare", "models"):
            yield Case(f"{command} one argument more", command, [*base, "more"], "more")
        for switch in SWITCHES.get(command, ()):
            yield Case(f"{command} {switch} with a value", command, [*base, f"{switch}=yes"], switch)
    yield from _missing()
    yield from _names()


def _configuration(command: str, base: list[str], every: bool) -> Iterator[Case]:
    """Yield each flag of the configuration with all bad values, or with the first one only."""
    for listed in ARGUMENTS.values():
        for argument in listed:
            values = FREE if argument.name in ANY_TEXT else KINDS[argument.kind]
            for kind, value in list(values.items())[: None if every else 1]:
                if argument.name == "data" and kind == "empty":
                    continue  # stands for the working folder
                argv = replaced(
                    base[1:] if command == "audit" and argument.name == "data" else base, argument.flag, value
                )
                expected = "" if argument.name == "data" else argument.name
                yield Case(f"{command} {argument.flag} {kind}", command, argv, expected)


def _missing() -> Iterator[Case]:
    """Yield command lines that end too early."""
    for command, argv, expected in (
        ("fit", [*FIT, "--epochs"], "--epochs"),
        ("evaluate", [], "RUN"),
        ("predict", [], "RUN"),
        ("evaluate", ["<run>", "--data", "<pictures>"], "--output"),
        ("predict", ["<run>"], "IMAGES"),
        ("predict", ["<run>", "--output", "x.csv"], "IMAGES"),
        ("compare", [], "RUN"),
        ("compare", ["<scores>/a.csv"], "two"),
        ("analyze", [], "TABLE"),
        ("analyze", ["<scores>/table.csv"], "--response"),
        ("sweep", [], "LIST"),
        ("sweep", ["--output", "out"], "LIST"),
        ("phantoms", [], "OUT"),
        ("doctor", ["--weights-dir"], "--weights-dir"),
        ("predict", [*PREDICT[:2], "--output"], "--output"),
        ("analyze", [*ANALYZE[:3]], "--random"),
    ):
        yield Case(f"{command} {' '.join(argv) or 'alone'} ends", command, argv, expected)


def _names() -> Iterator[Case]:
    """Yield names and paths that cannot be."""
    for kind, text in {
        "unknown": "nope",
        "empty": "",
        "NUL": "a\0b",
        "two lines": "a\nb",
        "long": LONG,
        "surrogate": "a\ud800",
    }.items():
        yield Case(f"models {kind}", "models", [text], "backbone")
        yield Case(f"sweep list {kind}", "sweep", [text, "--output", "out"], "list of runs")
        yield Case(f"fit preset {kind}", "fit", [*FIT, f"--preset={text}"], "preset")
        yield Case(f"fit augment {kind}", "fit", [*FIT, f"--augment={text}"], "--augment")
        yield Case(f"evaluate run {kind}", "evaluate", [text], "run")
        yield Case(f"predict run {kind}", "predict", [text, "<image>"], "run")
        yield Case(f"predict image {kind}", "predict", ["<run>", text or "empty.png"], "No such")
        yield Case(f"compare run {kind}", "compare", ["<scores>/a.csv", text or "empty.csv"], "")
        yield Case(f"analyze table {kind}", "analyze", [text or "empty.csv", *ANALYZE[1:]], "")
        yield Case(f"evaluate data {kind}", "evaluate", ["<run>", "--data", text or "empty", "--output", "out"], "")
        yield Case(f"audit path {kind}", "audit", [text or "empty", *TINY], "")
        if kind in ("NUL", "long", "surrogate"):
            yield Case(f"doctor weights folder {kind}", "doctor", ["--weights-dir", text], "--weights-dir")
    for text in ("", "(", "nope 3", "--backbone", "--epochs x", "\0", "'", LONG, "--structure 9"):
        yield (
            Case(f"fit radimagenet flags {text[:9]!r}", "fit", [*FIT, f"--radimagenet-flags={text}"], "")
            if text
            else Case("fit radimagenet flags not closed", "fit", [*FIT, '--radimagenet-flags="'], "")
        )
    for text in ("zz", "2", "nope"):
        yield Case(f"compare positive {text} for labels 0 and 1", "compare", [*COMPARE, "--positive", text], "positive")
    for text, part in (("nope", "nope"), ("none", ""), ("", "")):
        if part:
            yield Case(f"fit positive {text}", "fit", [*FIT, "--positive", text], part)
            yield Case(f"audit positive {text}", "audit", [*AUDIT, "--positive", text], part)
            yield Case(f"evaluate positive {text}", "evaluate", [*EVALUATE, "--positive", text], part)
            yield Case(f"fit label {text} of a folder", "fit", [*FIT, "--label", text], "label")
            yield Case(f"evaluate label {text} of a folder", "evaluate", [*EVALUATE, "--label", text], "label")
            yield Case(f"fit groups {text} of a folder", "fit", [*FIT, "--groups", text], "groups")
            yield Case(f"evaluate groups {text} of a folder", "evaluate", [*EVALUATE, "--groups", text], "groups")
    for number, pattern in enumerate(
        ("re:(", "re:a{99999999999}", "re:", "re:[", "re:(?P<a>x", "re:" + "(" * 3000, "re:x\0")
    ):
        yield Case(f"fit groups pattern {number}", "fit", [*FIT, f"--groups={pattern}"], "groups")
