"""The package is written in plain English, and one name means one thing.

The patterns are turns of phrase that a reader who learned English at school has to read twice. A hit is counted in
docstrings, comments and texts. A few are deliberate, so the total has a limit; `ALLOWED` names those that a file needs.
"""

from __future__ import annotations

import ast
import io
import re
import tokenize
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "ci_notebook"
MOST_HITS = 40
SHORTEST_TEXT = 16  # a shorter string is a name or a key

# What to write → the turn of phrase to look for.
PATTERNS = {
    "expensive": r"\bdear(est|er)?\b",
    "is reported": r"\b(is|are|was|be|been|were) told\b|\btold of\b|\btells? of\b",
    "the user, any": r"\b(whoever|whatever|whichever)\b",
    "is, of a place": r"\blies?\b",
    "is, of a position": r"\bstands?\b(?!-| for\b|ard|alone|by)",
    "fix": r"\bmend(s|ed)?\b",
    "is tolerated": r"\bborne\b",
    "again": r"\banew\b",
    "release": r"\blets? go of\b",
    "its own": r"\bof (its|his|their|our|your|one's) own\b|\bof ours\b|\bof yours\b",
    "continue, resume": r"\b(go|goes|gone|going) on\b",
    "one row per job": (
        r"\b(one|a) (row|line|job|clip|picture|frame|setting|panel|class|file|run|column|thread|process)"
        r" a (job|clip|picture|frame|setting|class|run|test|score|voter|value|trial|leaf)\b"
    ),
    "a noun instead of a clause with what": r"(^|\. |: )What [a-z]+ ",
    "is in the data": r"\b(is|are|was|be|been|as) said\b|\bheard\b",
    "the user, the mouse": r"\ba hand\b",
    "is skipped": r"\bpass(ed|es)? over\b",
    "is put": r"\b(laid|lain)\b",
    "the result of": r"\b(came|come|comes) of\b",
    "is compared with": r"\bheld against\b",
    "exists": r"\bis there (already|yet|still)\b",
    "next to, besides": r"\bbeside\b",
    "because": r", for (it|they|each|their|he|nobody|what)\b",
}
RULES = {name: re.compile(pattern, re.MULTILINE) for name, pattern in PATTERNS.items()}

# File → turns of phrase that it uses on purpose.
ALLOWED: dict[str, set[str]] = {}

# Module names that several packages use, each for one thing in several layers.
SAME_THING = {
    "doctor", "jobs", "lab", "report", "score", "serve",  # a verb of the command line, and the feature of that name
    "multipart", "objects", "queues", "submit", "templates",  # a part of the API: its model, its client, its server
    "panel", "view",  # the widget of a folder
}  # fmt: skip


def texts(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the comments and longer strings of a file, with their lines."""
    source = path.read_text("utf-8")
    if path.suffix == ".py":
        for token in tokenize.generate_tokens(io.StringIO(source).readline):
            if token.type == tokenize.COMMENT:
                yield token.start[0], token.string
        for node in ast.walk(ast.parse(source)):
            text = node.value if isinstance(node, ast.Constant) else None
            if isinstance(text, str) and " " in text and len(text) >= SHORTEST_TEXT:
                yield node.lineno, text
    elif path.suffix == ".js":
        for number, line in enumerate(source.splitlines(), 1):
            for match in re.finditer(r"//(.*)$|\"([^\"]{15,})\"|'([^']{15,})'|`([^`]{15,})`", line):
                yield number, " ".join(filter(None, match.groups()))
    else:
        yield 1, source


def hits(path: Path) -> Iterator[tuple[int, str, str]]:
    """Yield line, turn of phrase and surrounding words of each hit."""
    for line, text in texts(path):
        for name, rule in RULES.items():
            for match in rule.finditer(text):
                yield line, name, text[max(0, match.start() - 30) : match.end() + 30].replace("\n", " ")


def places(root: Path) -> list[str]:
    files = sorted(path for path in root.rglob("*") if path.suffix in (".py", ".js", ".md", ".ipynb"))
    return [
        f"{name}:{line} [{turn}] …{words}…"
        for path in files
        for name in [path.relative_to(root).as_posix()]
        for line, turn, words in hits(path)
        if turn not in ALLOWED.get(name, set())
    ]


def definitions() -> dict[str, list[str]]:
    """Return the modules that define each class of the package at their top level."""
    modules = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        for node in ast.parse(path.read_text("utf-8")).body:
            if isinstance(node, ast.ClassDef):
                modules[node.name].append(path.relative_to(PACKAGE).as_posix())
    return modules


def test_the_package_is_in_plain_english():
    found = places(PACKAGE)
    assert len(found) <= MOST_HITS, "\n".join(found)


def test_every_exception_is_needed():
    unused = {
        f"{name}: {turn}"
        for name, turns in ALLOWED.items()
        for turn in turns - {turn for _, turn, _ in hits(PACKAGE / name)}
    }
    assert unused == set()


@pytest.mark.parametrize(
    ("text", "turn"),
    [
        ("# The " + "dear stages are cached.", "expensive"),
        ("x = 'it goes " + "on where it stopped'", "continue, resume"),
        ('"""' + "What" + ' is kept is named."""', "a noun instead of a clause with what"),
        ("x = f'{1} is " + "borne for so many {2} seconds'", "is tolerated"),
    ],
)
def test_a_turn_of_phrase_is_found_in_comments_texts_and_docstrings(text, turn, tmp_path):
    (tmp_path / "one.py").write_text(text, "utf-8")
    assert [name for _, name, _ in hits(tmp_path / "one.py")] == [turn]


def test_no_class_name_is_defined_in_two_modules():
    assert {name: modules for name, modules in definitions().items() if len(modules) > 1} == {}


def test_a_module_name_has_one_meaning():
    modules = defaultdict(list)
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name != "__init__.py":
            modules[path.stem].append(path.relative_to(PACKAGE).as_posix())
    assert {stem: paths for stem, paths in modules.items() if len(paths) > 1 and stem not in SAME_THING} == {}
