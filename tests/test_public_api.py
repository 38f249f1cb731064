"""The public names and signatures are those of `public_api.txt`, and completers see the keywords."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import ci_notebook as ci
from ci_notebook.model.declaration.node import Node

SNAPSHOT = Path(__file__).with_name("public_api.txt")
COMMAND = "python -m tests.test_public_api"


def public_api() -> str:
    """Return one line per public name, method and property, with its signature."""
    lines = [line for name in sorted(ci.__all__) for line in _lines(name, getattr(ci, name))]
    return "\n".join(lines) + "\n"


def _lines(name: str, value: object) -> Iterator[str]:
    if inspect.isclass(value):
        yield f"class {name}{_signature(value)}"
        for attribute in sorted(vars(value)):
            if not attribute.startswith("_"):
                yield from _member(f"{name}.{attribute}", inspect.getattr_static(value, attribute))
    elif callable(value):
        yield f"def {name}{_signature(value)}"
    else:
        yield f"{name}: {type(value).__name__}"


def _member(name: str, value: object) -> Iterator[str]:
    if isinstance(value, property):
        returns = inspect.signature(value.fget).return_annotation if value.fget else ""
        yield f"  {name} -> {returns}"
    elif isinstance(value, classmethod | staticmethod):
        yield f"  def {name}{_signature(value.__func__)}"
    elif inspect.isfunction(value):
        yield f"  def {name}{_signature(value)}"


def _signature(value: object) -> str:
    """Return a signature as text. The fields of nodes are named only: the model declares their types."""
    if inspect.isclass(value) and issubclass(value, Exception) and "__init__" not in vars(value):
        return f"({value.__bases__[0].__name__})"
    signature = inspect.signature(value)  # type: ignore[arg-type]  # a class or a function
    if inspect.isclass(value) and issubclass(value, Node):
        return f"({', '.join(signature.parameters)})"
    text = re.sub(r"<[^<>]*>", "...", str(signature))
    return re.sub(r"'([^']+)'", r"\1", text)


def test_the_public_names_and_signatures_are_those_of_the_snapshot() -> None:
    assert public_api() == SNAPSHOT.read_text("utf-8"), f"The public API changed. If that is meant, run: {COMMAND}"


def test_no_public_call_hides_its_keywords() -> None:
    hidden = [line for line in SNAPSHOT.read_text("utf-8").splitlines() if "**" in line]
    # The keywords of these are names of parameters, which the model declares.
    named_by_the_model = r"\s*def (grid|one_at_a_time|pairs|random|Runs\.where)\("
    assert [line for line in hidden if not re.match(named_by_the_model, line)] == []


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ci.Lab]:
    with ci.connect(home=tmp_path_factory.mktemp("home")) as lab:
        yield lab


@pytest.mark.parametrize("jedi", [False, True])
@pytest.mark.parametrize(
    ("cell", "keyword"),
    [
        ("lab.submit(clip, wat", "watermark="),
        ("lab.request(clip, dig", "digital_watermark="),
        ("lab.run(clip, sweep, bud", "budget="),
        ("lab.jobs(cre", "created_after="),
        ("lab.spoil(clip, shr", "shrink="),
        ("lab.optimize(clip, tri", "trials="),
        ("runs.report(path, ques", "question="),
        ("ci.VoteView(lab, runs, vot", "voter="),
    ],
)
def test_the_completer_of_jupyter_finds_a_keyword(cell: str, keyword: str, jedi: bool, lab: ci.Lab) -> None:
    from IPython.core.completer import provisionalcompleter
    from IPython.core.interactiveshell import InteractiveShell

    shell = InteractiveShell.instance()
    shell.user_ns.update(ci=ci, lab=lab, clip=None, sweep=None, runs=ci.Runs([]), path="")
    shell.Completer.use_jedi = jedi
    with provisionalcompleter():
        assert keyword in [one.text for one in shell.Completer.completions(cell, len(cell))]


if __name__ == "__main__":
    SNAPSHOT.write_text(public_api(), "utf-8")
