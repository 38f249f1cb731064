"""The architecture: which package may import which, how large a folder is, and what an import costs."""

from __future__ import annotations

import ast
import functools
import subprocess
import sys
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "ci_notebook"
MODULES = sorted(PACKAGE.rglob("*.py"))

# From bottom to top. A package may import packages of the levels below it, not of its own level or above,
# except as `ALSO` and `NOT` say.
LEVELS: tuple[set[str], ...] = (
    {"model"},
    {"wire"},
    {"media"},
    {"client", "engine"},
    {"widgets", "results", "experiment"},
    {"lab"},
    {"cli", "doctor", "testing", "course"},
)
ALSO = {
    "results": {"experiment"},  # results reads the records of runs; never the other way
    "cli": {"doctor"},  # the verb `doctor`
}
NOT = {
    "widgets": {"client", "engine", "media"},  # a view asks through `widgets/ports.py`
    "results": {"client", "engine", "media"},
    "experiment": {"engine", "media"},
    "client": {"media"},
    "course": {"lab", "engine", "client"},
}
FOREIGN: dict[str, set[str]] = {
    "model": set(),
    "wire": {"lxml"},
    "client": {"httpx"},
    "media": {"imageio_ffmpeg", "av", "numpy", "PIL"},
    "engine": {"waitress", "numpy", "lxml", "PIL", "onnxruntime", "cv2", "distributed"},
    "experiment": {"optuna"},
    "results": {"pandas", "matplotlib", "numpy", "scipy", "lxml", "IPython", "ipywidgets"},
    "widgets": {"ipywidgets", "anywidget", "traitlets", "IPython"},
    "lab": set(),
    "course": {"pandas"},
    "testing": {"pytest", "platformdirs"},
    "doctor": {"packaging"},
    "cli": {"ipywidgets", "IPython", "traitlets", "tornado", "jupyter_server", "voila"},  # the page of the verb `app`
}
PACKAGES = set(FOREIGN)
# Modules outside the packages, which all packages may import.
BASE = ("_folders", "_machine_errors", "_processes", "_file_lock", "_database")


def below(package: str) -> set[str]:
    """Return our packages that a package may import."""
    level = next(n for n, names in enumerate(LEVELS) if package in names)
    return (
        (set().union(*LEVELS[:level]) - NOT.get(package, set()))
        | ALSO.get(package, set())
        | {package, "_version", *BASE}
    )


HEAVY = ("pandas", "matplotlib", "ipywidgets", "anywidget", "av", "httpx", "lxml", "numpy", "scipy", "PIL")


def name_of(path: Path) -> str:
    return ".".join(("ci_notebook", *path.relative_to(PACKAGE).with_suffix("").parts)).removesuffix(".__init__")


@functools.cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text("utf-8"))


@functools.cache
def imports(path: Path) -> list[tuple[str, ast.AST]]:
    """Return every module that a file imports, with the statement; those for type checkers only are left out."""
    tree = parsed(path)
    for_types = {
        id(inner)
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)
        for inner in ast.walk(node)
    }
    modules = []
    for node in ast.walk(tree):
        if id(node) in for_types:
            continue
        if isinstance(node, ast.Import):
            modules += [(alias.name, node) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: imports are absolute"
            modules += [(node.module or "", node)]
    return modules


def package_of(module: str) -> str:
    words = module.split(".")
    return words[1] if words[0] == "ci_notebook" and len(words) > 1 else ""


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_imports_only_what_its_package_may(path):
    package = package_of(name_of(path))
    if package not in PACKAGES:
        assert package in ("", "_version", *BASE, "__main__"), "a module outside the packages"
        return
    for module, _ in imports(path):
        first = module.split(".")[0]
        if first == "ci_notebook":
            assert package_of(module) in below(package), f"{package} may not import {module}"
        else:
            assert first in sys.stdlib_module_names or first in FOREIGN[package], f"{package} may not import {module}"


def test_every_package_has_its_level():
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()} == PACKAGES
    assert set().union(*LEVELS) == PACKAGES


def test_a_folder_holds_at_most_14_files():
    folders = {path.parent for path in MODULES} - {PACKAGE / "results" / "charts"}
    counts = {str(folder): sum(one.is_file() for one in folder.iterdir()) for folder in folders}
    assert {folder: count for folder, count in counts.items() if count > 14} == {}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_import_inside_a_function_hides_a_cycle(path):
    """An import of our package inside a function needs a comment that says why."""
    lines = path.read_text("utf-8").splitlines()
    for module, node in imports(path):
        if node.col_offset and module.startswith("ci_notebook"):
            about = lines[node.lineno - 2 : node.end_lineno]
            assert any("#" in line for line in about), f"{path}:{node.lineno} imports {module} without saying why there"


def test_httpx_is_imported_in_one_package():
    packages = {
        package_of(name_of(path)) for path in MODULES for module, _ in imports(path) if module.split(".")[0] == "httpx"
    }
    assert packages == {"client"}


@pytest.mark.slow
def test_there_is_no_cycle_among_modules():
    names = {name_of(path) for path in MODULES}
    graph = {
        name_of(path): {module for module, node in imports(path) if module in names and not node.col_offset}
        for path in MODULES
    }
    visited: set[str] = set()

    def visit(name: str, way: tuple[str, ...]) -> None:
        assert name not in way, " -> ".join((*way, name))
        if name not in visited:
            for other in sorted(graph[name]):
                visit(other, (*way, name))
            visited.add(name)

    for name in sorted(graph):
        visit(name, ())


def test_importing_the_package_loads_nothing_heavy():
    code = f"import ci_notebook, sys; print([name for name in {HEAVY!r} if name in sys.modules])"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "[]"


@pytest.mark.slow
def test_the_model_loads_nothing_but_the_standard_library():
    code = (
        "import sys; before = set(sys.modules); "
        "import ci_notebook.model.setting.rules, ci_notebook.model.api.requests; "
        "print(sorted({n.split('.')[0] for n in set(sys.modules) - before} - sys.stdlib_module_names))"
    )
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert process.stdout.strip() == "['ci_notebook', 'lazy_loader']"


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_every_module_says_what_it_is_for(path):
    assert ast.get_docstring(parsed(path))


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_file_is_long(path):
    assert len(path.read_text("utf-8").splitlines()) <= 500
