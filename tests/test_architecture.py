"""The rules of the house: imports run one way, most of it needs no TensorFlow, commands and files are short."""

from __future__ import annotations

import ast
import configparser
import json
import subprocess
import sys
from pathlib import Path

import pytest

import keras_radtl
from keras_radtl.__main__ import COMMANDS

ROOT = Path(keras_radtl.__file__).parent
FILES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts).removesuffix(".__init__"): path
    for path in sorted(ROOT.rglob("*.py"))
}
FLOORS = (  # a room may import its own floor and those before it
    {"config", "reproducibility", "system"},
    {"data"},
    {"models"},
    {"baselines"},
    {"strategies"},
    {"runs"},
    {"reports"},
    {"training"},
    {"sweeps", "search"},
    {"studies"},
)
FLOOR = {room: number for number, rooms in enumerate(FLOORS) for room in rooms}
BESIDE = {"metrics": {"metrics", "stats"}, "stats": {"stats"}, "figures": {"figures", "metrics", "stats"}}  # may import
COMMAND_FILES = {f"keras_radtl.{name}.__main__" if name == "models" else f"keras_radtl.{name}" for name in COMMANDS}
LIGHT = [
    *(name for name in FILES if name.split(".")[1:2] in (["metrics"], ["stats"], ["baselines"])),
    *(name for name in FILES if name.startswith("keras_radtl.data.sources")),
    *(
        f"keras_radtl.data.{name}"
        for name in ("table", "split", "duplicates", "images", "phantoms.generate", "augment", "dataset")
    ),
    *(
        f"keras_radtl.{name}"
        for name in ("config", "config.presets", "cli.options", "cli.app", "reproducibility", "runs.directory")
    ),
    *(f"keras_radtl.runs.{name}" for name in ("directory", "interrupt", "progress", "predictions", "results")),
    "keras_radtl.reports.run_text",
    "keras_radtl.training.feature_store",
    "keras_radtl.training.run_options",
    "keras_radtl.models.probabilities",
]


def imports(path: Path, inside_functions: bool) -> set[str]:
    """Return the modules of the package that a file imports, at its top or anywhere."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    nodes = ast.walk(tree) if inside_functions else tree.body
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            found |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return {name for name in found if name in FILES}


IMPORTS = {name: imports(path, inside_functions=True) for name, path in FILES.items()}


def room(name: str) -> str:
    parts = name.split(".")
    return parts[1] if len(parts) > 1 else ""


def may_import(here: str, there: str) -> bool:
    """Return whether the imports of a room may point to another one."""
    if here in BESIDE:
        return there in {*BESIDE[here], "config"}
    return there not in FLOOR or here not in FLOOR or FLOOR[there] <= FLOOR[here]


def test_imports_run_one_way():
    wrong = []
    for name, imported in IMPORTS.items():
        for other in imported:
            command = other in COMMAND_FILES and name != "keras_radtl.__main__" and name not in COMMAND_FILES
            cli = room(other) == "cli" and room(name) != "cli" and name not in COMMAND_FILES
            upwards = name not in COMMAND_FILES and not may_import(room(name), room(other))
            if command or cli or upwards:
                wrong.append(f"{name} -> {other}")
    assert not wrong


def test_no_module_imports_itself_by_any_way():
    state = {}

    def visit(name, path):
        if state.get(name) == "open":
            pytest.fail(f"cycle: {' -> '.join([*path[path.index(name) :], name])}")
        if name not in state:
            state[name] = "open"
            for other in sorted(IMPORTS[name] - {name}):
                visit(other, [*path, name])
            state[name] = "done"

    for name in IMPORTS:
        visit(name, [])


SEES_CONFIG = (  # rooms and modules whose functions may take the whole configuration
    "config", "cli", "sweeps", "search", "studies", "runs.directory", "training.plan", "training.train",
)  # fmt: skip


def test_a_room_receives_its_section_of_the_configuration_or_the_plan():
    wrong = []
    for name, path in FILES.items():
        inner = name.removeprefix("keras_radtl").removeprefix(".")
        if name in COMMAND_FILES or inner in SEES_CONFIG or inner.split(".")[0] in SEES_CONFIG:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef):
                arguments = [*node.args.posonlyargs, *node.args.args, *node.args.kwonlyargs]
                kinds = [ast.unparse(a.annotation) for a in arguments if a.annotation]
                wrong += [f"{name}.{node.name}" for kind in kinds if "Config" in kind.replace("|", " ").split()]
    assert not wrong


PRIVATE = "_inbound_nodes _outbound_nodes _nodes_by_depth _flatten_layers _keras_history _trainable_variables".split()
PRIVATE += "_get_variable_index _momentums _velocities _use_weight_decay _all_reduce_sum_gradients".split()
PRIVATE += ["_apply_weight_decay", "GLOBAL_STATE_TRACKER"]


def test_private_attributes_of_keras_are_touched_in_one_module():
    for name, path in FILES.items():
        if name != "keras_radtl.models.keras_internals":
            source = path.read_text(encoding="utf-8")
            assert not [attribute for attribute in PRIVATE if attribute in source], name
            assert "keras.src" not in source, name


def test_child_processes_have_one_launcher():
    using = [name for name, path in FILES.items() if "import subprocess" in path.read_text(encoding="utf-8")]
    assert using == ["keras_radtl.system.child_process"]


def test_names_of_strategies_stand_in_their_table_only():
    from keras_radtl.strategies.table import STRATEGIES

    allowed = {"keras_radtl.strategies.table", "keras_radtl.config.presets"}
    for name, path in FILES.items():
        if name in allowed or room(name) == "studies":
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare):
                values = {n.value for n in ast.walk(node) if isinstance(n, ast.Constant) and isinstance(n.value, str)}
                assert not values & set(STRATEGIES), f"{name}:{node.lineno}"


def test_figures_take_results_and_know_no_run_or_model():
    for name, imported in IMPORTS.items():
        if room(name) == "figures":
            assert not {room(other) for other in imported} & {"runs", "models", "strategies", "data"}, name


def test_library_code_prints_nothing():
    may = {"keras_radtl.__main__", "keras_radtl.cli.app", *COMMAND_FILES}
    for name, path in FILES.items():
        calls = (n for n in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(n, ast.Call))
        prints = [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"]
        assert name in may or not prints, f"{path}:{prints}"


@pytest.mark.parametrize("name", FILES)
def test_files_are_short_and_say_what_they_are(name):
    source = FILES[name].read_text(encoding="utf-8")
    tree = ast.parse(source)
    assert ast.get_docstring(tree), f"{name} has no docstring"
    assert source.count("\n") <= (150 if name in COMMAND_FILES else 300)
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            length = node.end_lineno - node.lineno + 1
            assert isinstance(node, ast.ClassDef) or length <= 60, f"{name}.{node.name}: {length} lines"
    public = [n for n in tree.body if isinstance(n, ast.FunctionDef | ast.ClassDef) and not n.name.startswith("_")]
    assert not [n.name for n in public if not ast.get_docstring(n)]


def in_a_new_process(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60).stdout


def test_what_needs_no_tensorflow_imports_none():
    code = (
        "import importlib, json, sys\nheavy = {}\n"
        f"for name in {sorted(set(LIGHT))!r}:\n"
        "    importlib.import_module(name)\n"
        "    found = [m for m in ('tensorflow', 'keras', 'matplotlib', 'pandas', 'statsmodels') if m in sys.modules]\n"
        "    if found:\n        heavy[name] = found\n        break\n"
        "print(json.dumps(heavy))"
    )
    assert json.loads(in_a_new_process(code)) == {}


@pytest.mark.parametrize("command", ["", *COMMANDS])
def test_help_comes_at_once(command):
    module = f"keras_radtl.{command}".rstrip(".")
    code = (
        "import runpy, sys, time\nstart = time.process_time()\nsys.argv = ['x', '--help']\n"
        f"try:\n    runpy.run_module({module!r}, run_name='__main__', alter_sys=False)\n"
        "except SystemExit as stop:\n    code = stop.code\n"
        "heavy = [m for m in ('tensorflow', 'keras', 'matplotlib', 'pandas') if m in sys.modules]\n"
        "print(code, heavy, time.process_time() - start)"
    )
    *text, last = in_a_new_process(code).splitlines()
    code, heavy, seconds = last.split(" ")
    assert text and (code, heavy) == ("0", "[]")
    assert float(seconds) < 0.5


def test_importing_the_package_is_fast():
    code = (
        "import sys, time; start = time.process_time(); import keras_radtl; "
        "print(time.process_time() - start, 'numpy' in sys.modules)"
    )
    seconds, heavy = in_a_new_process(code).split()
    assert float(seconds) < 0.3 and heavy == "False"


def test_the_list_of_commands_is_the_list_of_command_modules():
    found = {path.stem for path in ROOT.glob("*.py") if "\ndef main(argv" in path.read_text(encoding="utf-8")}
    found = (found - {"__main__"}) | {"models"}
    assert set(COMMANDS) == found


def test_the_console_script_is_that_list():
    setup = configparser.ConfigParser()
    setup.read(ROOT.parent / "setup.cfg")
    assert setup["options.entry_points"]["console_scripts"].strip() == "keras-radtl = keras_radtl.__main__:main"
