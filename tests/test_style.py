"""How the tests are written: they use public names only, and every assertion can fail."""

from __future__ import annotations

import ast
import functools
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent
ROOT = TESTS.parent
FILES = sorted(TESTS.rglob("*.py"))

# Names with one underscore that are public by agreement: of the standard library, IPython and anywidget.
PUBLIC_UNDERSCORED = {
    "_repr_html_", "_repr_mimebundle_", "_ipython_display_", "_replace", "_asdict", "_fields", "_exit", "_esm", "_css",
}  # fmt: skip
# Benchmarks measure single steps that have no public name, of this package and of the official SDK.
MEASURED = TESTS / "benchmarks"


def private_attributes(tree: ast.AST) -> Iterator[ast.Attribute]:
    """Yield the attributes with one leading underscore that belong to anything but `self` and `cls`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr.startswith("_") and not node.attr.startswith("__"):
            owner = node.value.id if isinstance(node.value, ast.Name) else ""
            if owner.rstrip("_") not in ("self", "cls") and node.attr not in PUBLIC_UNDERSCORED:
                yield node


def cannot_fail(test: ast.expr) -> bool:
    """Return whether an asserted expression is true for any behaviour of the code under test."""
    if isinstance(test, ast.BoolOp) and isinstance(test.op, ast.Or):
        return any(cannot_fail(value) for value in test.values)
    if isinstance(test, ast.BoolOp):
        return all(cannot_fail(value) for value in test.values)
    if isinstance(test, ast.Compare):
        is_length = isinstance(test.left, ast.Call) and ast.unparse(test.left.func) == "len"
        return is_length and isinstance(test.ops[0], ast.GtE) and ast.unparse(test.comparators[0]) == "0"
    if isinstance(test, ast.Constant):
        return bool(test.value)
    return isinstance(test, ast.Tuple | ast.List | ast.Set | ast.Dict | ast.JoinedStr | ast.Lambda | ast.GeneratorExp)


@functools.cache
def trees() -> list[tuple[Path, ast.AST]]:
    return [(path, ast.parse(path.read_text("utf-8"))) for path in FILES]


def test_tests_use_public_names_only():
    places = [
        f"{path.relative_to(ROOT)}:{node.lineno} {ast.unparse(node)}"
        for path, tree in trees()
        if MEASURED not in path.parents
        for node in private_attributes(tree)
    ]
    assert places == [], "use the public behaviour, or add a documented property to the package"


def test_every_assertion_can_fail():
    places = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path, tree in trees()
        for node in ast.walk(tree)
        if isinstance(node, ast.Assert) and cannot_fail(node.test)
    ]
    assert places == []


@pytest.mark.parametrize(
    ("text", "is_certain"),
    [
        ("x or True", True), ("len(x) >= 0", True), ("(x, 'message')", True), ("'text'", True), ("x", False),
        ("x and True", False), ("len(x) >= 1", False), ("not x or y", False), ("f'{x}'", True), ("False", False),
    ],
)  # fmt: skip
def test_an_assertion_that_cannot_fail_is_recognised(text, is_certain):
    assert cannot_fail(ast.parse(text, mode="eval").body) == is_certain


def test_a_private_attribute_is_recognised():
    tree = ast.parse("self._a; one._b; one.two()._c; one.__d__; one._repr_html_(); self_._e")
    assert [node.attr for node in private_attributes(tree)] == ["_b", "_c"]
