"""Names of classes, levels and files as matplotlib shows them."""

from __future__ import annotations

from collections.abc import Iterable

LONGEST = 40  # characters


def label_text(name: object, longest: int = LONGEST) -> str:
    """Return a name as one line of at most `longest` characters, in which `$` does not start a formula.

    A longer name keeps its beginning and its end.
    """
    text = " ".join(str(name).split())
    if len(text) > longest:
        text = f"{text[: longest // 2]} ... {text[-(longest - longest // 2 - 5) :]}"
    return text.replace("$", r"\$")


def label_texts(names: Iterable[object]) -> list[str]:
    """Return `label_text` of each name."""
    return [label_text(name) for name in names]
