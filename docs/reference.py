"""The generated pages of the reference: public names, commands, configuration keys and presets.

`docs/conf.py` writes these pages before each build, so that they cannot differ from the code.
"""

from __future__ import annotations

import ast
import contextlib
import dataclasses
import importlib.util
import inspect
import io
import os
import pkgutil
import re
import shutil
import tokenize
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from keras_radtl.__main__ import COMMANDS, main
from keras_radtl.config import Config, presets
from keras_radtl.config.arguments import ARGUMENTS, Argument

MODULES = {
    "keras_radtl.metrics": "Metrics",
    "keras_radtl.stats": "Statistics",
    "keras_radtl.baselines": "Baselines",
    "keras_radtl.figures": "Figures",
    "keras_radtl.layers": "Layers",
}
WIDTH = 100  # columns of the help texts


class Key(NamedTuple):
    """One configuration key: dotted name, type and default as text, meaning, and its short name, if it has one."""

    name: str
    type: str
    default: str
    meaning: str
    argument: Argument | None


def write_pages(folder: Path) -> list[Path]:
    """Write all generated pages and return their paths; unchanged files keep their time stamps.

    The pages of single names, which autosummary writes to `api`, are removed, so that none is left of a former name.
    """
    shutil.rmtree(folder / "api", ignore_errors=True)
    pages = {"api.md": api_page(), "commands.md": commands_page(), "configuration.md": configuration_page()}
    pages["presets.md"] = presets_page()
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages.items():
        if not (folder / name).is_file() or (folder / name).read_text(encoding="utf-8") != text:
            (folder / name).write_text(text, encoding="utf-8")
    return [folder / name for name in pages]


def public_names(module: str) -> list[str]:
    """Return the names in a module's `__all__`; without one, the public functions and classes of its submodules.

    The source is read and not imported, since layers need TensorFlow.
    """
    tree, path = _source(module)
    for node in tree.body:
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__":
            return list(ast.literal_eval(node.value))
    names = []
    for part in sorted(info.name for info in pkgutil.iter_modules([str(path.parent)])):
        inner = _source(f"{module}.{part}")[0].body
        own = [node.name for node in inner if isinstance(node, ast.FunctionDef | ast.ClassDef)]
        names += [f"{part}.{name}" for name in own if not name.startswith("_")]
    return names


def _source(module: str) -> tuple[ast.Module, Path]:
    """Return the parsed source of a module and its file."""
    spec = importlib.util.find_spec(module)
    assert spec is not None and spec.origin is not None, module
    path = Path(spec.origin)
    return ast.parse(path.read_text(encoding="utf-8")), path


def _purpose(module: str) -> str:
    """Return the docstring of a module without its table of functions, which the page has anyway."""
    lines = (ast.get_docstring(_source(module)[0]) or "").splitlines()
    return "\n".join(line for line in lines if not line.startswith("|"))


def api_page() -> str:
    """Return the page of the public names, one section per module."""
    parts = ["# Python API", "", "`import keras_radtl as rtl` loads TensorFlow only when a function needs it.", ""]
    parts += _summary("keras_radtl", public_names("keras_radtl"))
    for module, title in MODULES.items():
        parts += ["", f"## {title}", "", _purpose(module), ""]
        parts += _summary(module, public_names(module))
    return "\n".join(parts) + "\n"


def _summary(module: str, names: Sequence[str]) -> list[str]:
    lines = [f".. currentmodule:: {module}", "", ".. autosummary::", "   :toctree: api", "   :nosignatures:", ""]
    return ["```{eval-rst}", *lines, *(f"   {name}" for name in names), "```"]


def help_text(command: str, *arguments: str) -> str:
    """Return what `python -m keras_radtl.COMMAND ARGUMENTS --help` prints."""
    text = io.StringIO()
    before = os.environ.get("COLUMNS")
    os.environ["COLUMNS"] = str(WIDTH)
    try:
        with contextlib.redirect_stdout(text), contextlib.suppress(SystemExit):
            main([command, *arguments, "--help"])
    finally:
        os.environ.pop("COLUMNS") if before is None else os.environ.update(COLUMNS=before)
    return text.getvalue().rstrip()


def commands_page() -> str:
    """Return the page of the commands with the help text of each."""
    parts = ["# Commands", "", "`python -m keras_radtl` lists the commands. `keras-radtl COMMAND` is the same as", ""]
    parts[2] += " `python -m keras_radtl.COMMAND`."
    for name, text in COMMANDS.items():
        summary = text[0].upper() + text[1:] + "."
        parts += [f"## {name}", "", summary, "", f"```text\n{help_text(name)}\n```", ""]
    return "\n".join(parts)


def configuration_keys() -> list[Key]:
    """Return every configuration key in the order of the schema."""
    return list(_keys(Config, "", {argument.key: argument for group in ARGUMENTS.values() for argument in group}))


def _keys(kind: type, prefix: str, arguments: Mapping[str, Argument]) -> Iterator[Key]:
    meanings = field_comments(kind)
    for field in dataclasses.fields(kind):
        name = prefix + field.metadata.get("key", field.name)
        default = getattr(kind(), field.name)
        if dataclasses.is_dataclass(default):
            yield from _keys(type(default), f"{name}.", arguments)
            continue
        argument = arguments.get(name)
        meaning = meanings.get(field.name) or (argument.help if argument else "")
        yield Key(name, str(field.type), repr(default), meaning, argument)


def field_comments(kind: type) -> dict[str, str]:
    """Return the comments of the fields of a dataclass: `#:` lines above a field, or a comment on its lines."""
    source = inspect.getsource(kind)
    tokens = tokenize.generate_tokens(io.StringIO(source).readline)
    comments = {token.start[0]: token.string for token in tokens if token.type == tokenize.COMMENT}
    lines = source.splitlines()
    found = {}
    for node in ast.parse(source).body[0].body:
        if isinstance(node, ast.AnnAssign):
            first = node.lineno
            while lines[first - 2].lstrip().startswith("#:"):
                first -= 1
            texts = [comments[line] for line in range(first, node.end_lineno + 1) if line in comments]
            texts = [text for text in texts if not text.startswith("# fmt:")]
            found[node.target.id] = " ".join(text.lstrip("#:").strip() for text in texts)
    return found


def configuration_page() -> str:
    """Return the page of the configuration keys, one section per part of the configuration."""
    parts = [
        "# Configuration keys",
        "",
        "A configuration contains everything that determines a result. Set a key with `--set KEY=VALUE`, in a JSON or",
        "YAML file for `--config`, or in Python with `Config.preset(name, **{KEY: VALUE})`. Many keys also have an",
        "option of the commands and an argument of `Config.preset`. [Presets](presets.md) change the defaults.",
        "",
    ]
    section = None
    for key in configuration_keys():
        group = key.name.rpartition(".")[0] or "The run"
        if group != section:
            section = group
            parts += [f"## {group if group == 'The run' else f'`{group}`'}", "", *_section_text(group)]
        short = f"Option `{key.argument.flag}`, argument `{key.argument.name}`." if key.argument else ""
        body = [line for line in (sentence(key.meaning), short) if line]
        parts += [f"```{{confval}} {key.name}", f":type: `{key.type}`", f":default: `{key.default}`", "", *body]
        parts += ["```", ""]
    return "\n".join(parts)


def _section_text(group: str) -> list[str]:
    kind = Config
    for part in group.split(".") if group != "The run" else ():
        kind = type(getattr(kind(), part))
    return [inspect.getdoc(kind) or "", ""]


def sentence(text: str) -> str:
    """Return a comment as a sentence of Markdown."""
    text = text.replace("<", "\\<")
    if not text:
        return ""
    start = text if re.match(r"[a-z_0-9]+ (\||\()", text) else text[0].upper() + text[1:]
    return start if start.endswith((".", "...")) else f"{start}."


def presets_page() -> str:
    """Return the page of the presets: the table in the code, and the values that each one sets."""
    parts = ["# Presets", "", inspect.getdoc(presets) or "", "", "## Values", ""]
    parts += ["Keys that are not listed keep their [defaults](configuration.md)."]
    for name, values in presets.PRESETS.items():
        rows = (f"| `{key}` | `{value!r}` |" for key, value in flat(values))
        parts += ["", f"### {name}", "", "| key | value |", "|---|---|", *rows]
    return "\n".join(parts) + "\n"


def flat(values: Mapping, prefix: str = "") -> Iterator[tuple[str, object]]:
    """Yield the dotted keys of nested dicts with their values."""
    for key, value in values.items():
        if isinstance(value, Mapping):
            yield from flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value
