"""README and docs: the tables match the declarations, the links lead somewhere, and the code runs."""

from __future__ import annotations

import ast
import re
from operator import attrgetter
from pathlib import Path
from typing import Any

import pytest

import ci_notebook as ci
from ci_notebook.wire.operations import CALL
from tests.doc_tables import JUDGED, PAGES, written

ROOT = Path(__file__).parent.parent
README = ROOT / "README.md"
DOCS = sorted((ROOT / "docs").rglob("*.md"))
# The pages whose examples run one after the other in one session, as a reader would.
IN_ORDER = (
    "README.md",
    *(f"docs/guide/{name}.md" for name in ("panel", "sweeps", "scores", "jobs", "adopt", "cluster")),
)
SNIPPET = re.compile(r"<!-- snippet: run by tests/test_docs.py -->\n```python\n(.*?)```", re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_the_tables_match_the_declarations(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert written(text) == text, "run `python -m tests.doc_tables`"


def test_the_readme_is_short() -> None:
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150


@pytest.mark.parametrize("page", [README, *DOCS], ids=lambda page: page.name)
def test_every_link_to_a_file_leads_to_one(page: Path) -> None:
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8"))
    local = [target for target in targets if "://" not in target]
    assert [target for target in local if not (page.parent / target).exists()] == []


@pytest.mark.parametrize("page", [README, *DOCS], ids=lambda page: page.name)
def test_every_link_to_a_heading_leads_to_one(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]*)#([^)]+)\)", page.read_text(encoding="utf-8"))
    lost = [(name, anchor) for name, anchor in links if anchor not in _anchors(page.parent / name if name else page)]
    assert lost == []


def _anchors(page: Path) -> set[str]:
    """Return the anchors of the headings of a page, as GitHub makes them."""
    headings = re.findall(r"(?m)^#+ (.+)$", page.read_text(encoding="utf-8"))
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_the_readme_leads_to_every_page() -> None:
    links = {(ROOT / target).resolve() for target in re.findall(r"\]\((docs/[^)]+)\)", README.read_text("utf-8"))}
    assert links == set(DOCS)


def test_the_pictures_are_small_and_have_an_alternative_text() -> None:
    pictures = re.findall(r"!\[([^]]*)\]\(([^)]+)\)", README.read_text(encoding="utf-8"))
    assert len(pictures) == 1
    for text, path in pictures:
        assert len(text) > 40
        assert (ROOT / path).stat().st_size <= 250_000
        assert (ROOT / path).read_bytes().startswith(b"\x89PNG")


def test_each_call_has_the_method_and_the_judge_that_the_table_says(tmp_path: Path) -> None:
    judges = (Path(__file__).parent / "engine" / "test_official_sdk.py").read_text(encoding="utf-8")
    assert JUDGED.keys() == CALL.keys()
    with ci.connect(home=tmp_path) as lab:
        for method, judge in JUDGED.values():
            assert not method or callable(attrgetter(method)(lab.client))
            assert f".{judge}(" in judges or not judge


def run_cell(code: str, page: str, names: dict[str, Any]) -> Any:
    """Run code as a notebook does: return the value of the last line if it is an expression, else None."""
    tree = ast.parse(code, page)
    last = ast.Expression(tree.body.pop().value) if isinstance(tree.body[-1], ast.Expr) else None
    exec(compile(tree, page, "exec"), names)  # noqa: S102  our own text
    return eval(compile(last, page, "eval"), names) if last is not None else None  # noqa: S307  our own text


@pytest.mark.slow
def test_the_examples_run_one_after_the_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert {str(page.relative_to(ROOT)) for page in [README, *DOCS] if SNIPPET.search(page.read_text("utf-8"))} == set(
        IN_ORDER
    )
    shown: list[Any] = []
    names: dict[str, Any] = {"display": lambda *values: shown.extend(values)}  # as in a notebook
    for page in IN_ORDER:
        for code in SNIPPET.findall((ROOT / page).read_text(encoding="utf-8")):
            last = run_cell(code, page, names)
            if page == "README.md":
                shown.append(last)
    assert list(names["runs"].to_frame()["state"]) == ["Success"] * 4
    # Pasted into cells, the README shows everything and ends in the answer.
    kinds = [type(one).__name__ for one in shown]
    assert kinds == ["EnhancePanel", "ChartAxes", "CompareView", "PlayView", "DataFrame", "Verdict"]
    assert all(path.startswith("results") and Path(path).is_file() for path in shown[-2]["path"])
    answer = shown[-1]
    assert answer.answer in ("better", "worse", "equivalent", "not worse"), str(answer)
    assert answer.is_known and answer.about == "this clip", str(answer)
    assert f"SharpenLevel 5 is {answer.answer} than 0" in answer.sentence or "are equivalent" in answer.sentence
    assert "All 75 frames of" in answer.sentence and "so this is known" in answer.sentence
    assert (tmp_path / "report.html").stat().st_size > 100_000
    mine = [job for job in names["lab"].jobs() if job.detail.operation.user_data == "lesson-3"]
    assert [job.state for job in mine] == ["Success"], "exactly one"
