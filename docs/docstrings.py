"""Docstrings of the package, which are plain text with Markdown tables and code, as reStructuredText.

Docstrings use single backticks for code, Markdown tables, and `*`, `|` and `_` as ordinary characters. Sphinx would
read these differently, so each docstring passes through `to_restructured_text` before Napoleon reads its sections.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

CODE = re.compile(r"(`+)(.+?)\1")
MARKUP = re.compile(r"([*|\\]|_(?=\W|$))")
ITEM = re.compile(r"\s*(- |\d+\. |\|)")


def to_restructured_text(lines: Sequence[str]) -> list[str]:
    """Return the lines of a docstring with tables, code and literal blocks as reStructuredText.

    Args:
        lines: docstring lines without common indentation.
    """
    result: list[str] = []
    position = 0
    while position < len(lines):
        end = _run(lines, position, _is_table_row)
        if end > position + 1:
            result += ["", *_list_table(lines[position:end]), ""]
        elif lines[position].lstrip().startswith("```"):
            end = _run(lines, position + 1, lambda line: not line.lstrip().startswith("```"))
            result += ["", *_code_block(lines[position], lines[position + 1 : end]), ""]
            end += 1  # the closing fence
        elif (end := _literal_end(lines, position)) > position:
            result += ["::", "", *lines[position:end], ""]
        else:
            end = position + 1
            result += _text(lines[position], result)
        position = end
    return _code_over_lines(result)


def _run(lines: Sequence[str], start: int, test) -> int:
    end = start
    while end < len(lines) and test(lines[end]):
        end += 1
    return end


def _is_table_row(line: str) -> bool:
    text = line.strip()
    return len(text) > 1 and text.startswith("|") and text.endswith("|")


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in line.strip()[1:-1].split("|")]


def _list_table(lines: Sequence[str]) -> list[str]:
    """Return a Markdown table as a list-table directive."""
    indent = " " * (len(lines[0]) - len(lines[0].lstrip()))
    rows = [_cells(line) for line in lines if not re.fullmatch(r"[\s|:-]+", line)]
    found = [f"{indent}.. list-table::", f"{indent}   :header-rows: 1", ""]
    for row in rows:
        found += [f"{indent}   {'* -' if i == 0 else '  -'} {escape(cell)}" for i, cell in enumerate(row)]
    return found


def _code_block(fence: str, code: Sequence[str]) -> list[str]:
    """Return a fenced block of Markdown as a code-block directive."""
    directive = f"{' ' * _indent(fence)}.. code-block:: {fence.strip().strip('`') or 'text'}"
    return [directive, "", *(f"   {line}" if line.strip() else "" for line in code)]


def _literal_end(lines: Sequence[str], start: int) -> int:
    """Return the end of an indented block that follows a blank line and text at the margin, else `start`."""
    before = [line for line in lines[:start] if line.strip()]
    opens = start > 0 and not lines[start - 1].strip() and lines[start].startswith("    ")
    if not opens or not before or before[-1].startswith((" ", "- ")):
        return start
    end = _run(lines, start, lambda line: not line.strip() or line.startswith("    "))
    while not lines[end - 1].strip():
        end -= 1
    return end


def _text(line: str, before: Sequence[str]) -> list[str]:
    """Return one line of text; a list that follows text needs a blank line in between."""
    starts_list = ITEM.match(line) and before and before[-1].strip() and not ITEM.match(before[-1])
    deeper = bool(before) and _indent(line) > _indent(before[-1])
    continued = bool(before) and before[-1].startswith(" ") and not line.startswith(" ")
    return [*([""] if starts_list and not deeper and not continued else []), escape(line)]


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())


def escape(line: str) -> str:
    """Return a line with code in double backticks and without accidental markup."""
    parts, position = [], 0
    for match in CODE.finditer(line):
        parts += [MARKUP.sub(r"\\\1", line[position : match.start()]), f"``{match[2]}``"]
        position = match.end()
    return "".join([*parts, MARKUP.sub(r"\\\1", line[position:])])


def _code_over_lines(lines: list[str]) -> list[str]:
    """Escape single backticks that open on one line and close on another."""
    return [re.sub(r"(?<!`)`(?!`)", r"\\`", line) for line in lines]
