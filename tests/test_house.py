"""The house plan: who may import whom, and what an import costs."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "ci_notebook"
MODULES = sorted(PACKAGE.rglob("*.py"))

# Room → our rooms and foreign packages that it may import, besides the standard library. `wire` is
# pure, so whoever writes or reads bodies may use it; `results` and `engine` read XML by the thousand.
MAY: dict[str, set[str]] = {
    "model": set(),
    "wire": {"model", "lxml"},
    "client": {"model", "wire", "httpx"},
    "media": {"model", "imageio_ffmpeg", "av", "numpy", "PIL"},
    "engine": {"model", "wire", "media", "waitress", "numpy", "lxml", "PIL", "onnxruntime", "distributed"},
    "experiment": {"model", "wire", "client", "media", "optuna"},
    "results": {"model", "wire", "experiment", "pandas", "matplotlib", "numpy", "lxml"},
    "widgets": {"model", "wire", "ipywidgets", "anywidget", "traitlets", "IPython"},
    # Where rooms meet: what a lab puts on the table knows no lab, and nobody but lab, cli and the façade knows it.
    "desk": {"model", "wire", "client", "media", "engine", "experiment", "results", "widgets"},
    "lessons": {"model", "pandas"},
    "testing": {"model", "client", "engine", "media", "lab", "connecting", "pytest", "platformdirs"},
    "terminal": {
        "model", "wire", "client", "media", "engine", "experiment", "results", "widgets", "lab", "connecting",
        "ipywidgets", "IPython", "packaging", "platformdirs",
    },
}  # fmt: skip
ROOMS = set(MAY)
HEAVY = ("pandas", "matplotlib", "ipywidgets", "anywidget", "av", "httpx", "lxml", "numpy", "PIL")


def name_of(path: Path) -> str:
    return ".".join(("ci_notebook", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


def imports(path: Path) -> list[tuple[str, ast.AST]]:
    """Return every module that a file imports, with the statement; those for type checkers only are left out."""
    tree = ast.parse(path.read_text("utf-8"))
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    found = []
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            found += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            found += [(node.module or "", node)]
    return found


def room_of(module: str) -> str:
    words = module.split(".")
    return words[1] if words[0] == "ci_notebook" and len(words) > 1 else ""


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_what_its_room_may(path):
    room = room_of(name_of(path))
    if room not in ROOMS:
        return  # lab, cli and the façade may import everything
    for module, _ in imports(path):
        first = module.split(".")[0]
        wanted = room_of(module) if first == "ci_notebook" else first
        is_own = first == "ci_notebook" and wanted in (room, "")
        assert is_own or first in sys.stdlib_module_names or wanted in MAY[room], f"{room} may not import {module}"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_import_inside_a_function_hides_a_cycle(path):
    """An import of our own inside a function needs a comment beside it that says why."""
    lines = path.read_text("utf-8").splitlines()
    for module, node in imports(path):
        if node.col_offset and module.startswith("ci_notebook"):
            about = lines[node.lineno - 2 : node.end_lineno]
            assert any("#" in line for line in about), f"{path}:{node.lineno} imports {module} without saying why there"


def test_httpx_is_imported_in_one_room():
    rooms = {
        room_of(name_of(path)) for path in MODULES for module, _ in imports(path) if module.split(".")[0] == "httpx"
    }
    assert rooms == {"client"}


def test_there_is_no_cycle_among_modules():
    names = {name_of(path) for path in MODULES}
    graph = {
        name_of(path): {module for module, node in imports(path) if module in names and not node.col_offset}
        for path in MODULES
    }
    done: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way, name))
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*way, name))
            done.add(name)

    for name in sorted(graph):
        visit(name, ())


def test_importing_the_package_loads_nothing_heavy():
    code = f"import ci_notebook, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"


def test_the_model_loads_nothing_but_the_standard_library():
    code = (
        "import sys; before = set(sys.modules); import ci_notebook.model.rules, ci_notebook.model.requests; "
        "print(sorted({n.split('.')[0] for n in set(sys.modules) - before} - sys.stdlib_module_names))"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "['ci_notebook']"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(ast.parse(path.read_text("utf-8")))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_file_is_long(path):
    assert len(path.read_text("utf-8").splitlines()) <= 320
