"""From the fields of a sweep's panel to a sweep, the Python that makes it, and the table of its runs.

The rule of this file: what is not taken is named at its field, and then there is no sweep.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final, NamedTuple, Protocol

from ci_notebook.model.declaration.node import AUTO, Node, parts
from ci_notebook.model.declaration.paths import leaves, resolve
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.widgets.sweep.values import OUT_WORD, code, stage_values, stages_of, values_of

# Beyond this a sweep is no work for a panel, and a slip of the pen would make ten thousand jobs.
MOST_RUNS: Final = 2000
SHOWN: Final = 50


class Sweep(Protocol):
    """Settings that know what varies in them."""

    @property
    def varies(self) -> tuple[str, ...]:
        """The paths whose values differ."""

    def __len__(self) -> int:
        """Return how many settings there are."""

    def __iter__(self) -> Any:
        """Yield the settings."""


class Fields(NamedTuple):
    """What the fields hold: texts as they were typed, `chosen` the numbers of the clips."""

    vary: Sequence[Sequence[str]]
    kind: str
    n: str
    seed: str
    budget: str
    chosen: Sequence[int]


class Made(NamedTuple):
    """What good fields stand for."""

    sweep: Sweep
    clips: tuple[int, ...]
    python: str
    budget: float | None


class Form(NamedTuple):
    """What does not change: the settings to start from, the clips, and what makes a sweep (`SweepDesk.design`)."""

    base: VideoEnhance
    against: VideoEnhance | None
    clips: int
    is_one: bool
    design: Callable[..., Any]

    def read(self, fields: Fields) -> tuple[Made | None, dict[str, str]]:
        """Return what the fields stand for, and field → message of all that is not taken; then there is no sweep."""
        problems: dict[str, str] = {}
        listed = _listed(self.base, fields, problems)
        is_random = fields.kind == "random"
        n = _whole("n", fields.n, problems, low=1, high=MOST_RUNS) if is_random else 10
        seed = _whole("seed", fields.seed, problems, low=0, high=2**31) if is_random else 0
        budget = _budget(fields.budget, problems)
        chosen = tuple(sorted(set(fields.chosen)))
        if not chosen or not set(chosen) <= set(range(self.clips)):
            problems["chosen"] = str(ParameterError("a sweep", "none", "at least one of the clips"))
        runs = _size(fields.kind, listed, n) * len(chosen)
        if runs > MOST_RUNS:
            remedy = "Use lab.run for more."
            problems[""] = str(ParameterError("a panel", f"{runs} runs", f"at most {MOST_RUNS} runs", remedy))
        sweep = None if problems else self._design(fields.kind, listed, n, seed, problems)
        if sweep is None:
            return None, problems
        text = code(
            fields.kind, self.base, listed, n=n, seed=seed, against=self.against,
            clips=self._clips_text(chosen), budget=budget,
        )  # fmt: skip
        return Made(sweep, chosen, text, budget), {}

    def _design(self, kind: str, listed: Mapping[str, Any], n: int, seed: int, problems: dict[str, str]) -> Any:
        try:
            return self.design(kind, self.base, listed, n=n, seed=seed, against=self.against)
        except ParameterError as error:
            path = error.path.rpartition("VideoEnhance.")[2]
            is_here = path in listed
            problems[path if is_here else ""] = (
                str(error) if is_here else f"{error} Set it in the base, or vary it, too."
            )
            return None

    def _clips_text(self, chosen: tuple[int, ...]) -> str:
        if self.is_one:
            return "clip"
        return "clips" if len(chosen) == self.clips else f"[{', '.join(f'clips[{at}]' for at in chosen)}]"


def table_of(made: Made, names: Sequence[str]) -> dict[str, Any]:
    """Return the first runs as texts, clip by clip: only what differs; and how many runs there are."""
    paths = made.sweep.varies
    heads = [*(["clip"] if len(made.clips) > 1 else []), *paths]
    settings = list(made.sweep)
    rows: list[list[str]] = []
    for at in made.clips:
        for setting in settings[: SHOWN - len(rows)]:
            rows.append([*([names[at]] if len(made.clips) > 1 else []), *(_text(setting, path) for path in paths)])
    return {"heads": heads, "rows": rows, "count": len(settings) * len(made.clips)}


def asked_html(made: Made, names: Iterable[str], note: str) -> str:
    """Return what is run, as plain HTML, under a line that says how it stands."""
    told = getattr(made.sweep, "_repr_html_", lambda: escape(repr(made.sweep)))()
    return f"<p style='margin:8px 0 4px'>{escape(note)} · {escape(', '.join(names))}</p>{told}"


def _listed(base: VideoEnhance, fields: Fields, problems: dict[str, str]) -> dict[str, Any]:
    known, stages = {leaf.path for leaf in leaves(VideoEnhance) if leaf.single}, stages_of(base)
    listed: dict[str, Any] = {}
    for path, text in fields.vary:
        try:
            if path not in {*known, *stages} or path in listed:
                raise ParameterError("what varies", path, "leaves, and stages that are on in the base, each once")
            listed[path] = (
                stage_values(base, stages[path], text)
                if path in stages
                else values_of(resolve(VideoEnhance, path), text, fields.kind)
            )
        except ParameterError as error:
            problems[path] = str(error)
    return listed


def _size(kind: str, listed: Mapping[str, Any], n: int) -> int:
    counts = [len(one) for one in listed.values() if isinstance(one, list)]
    if kind == "random":
        return n
    if kind == "one_at_a_time":
        return 1 + sum(counts)
    return math.prod(counts) * (2 if kind == "pairs" else 1)


def _whole(name: str, text: str, problems: dict[str, str], *, low: int, high: int) -> int:
    digits = text.strip()
    if digits.isascii() and digits.isdigit() and low <= int(digits[:12]) <= high:
        return int(digits)
    problems[name] = str(ParameterError(name, text, f"a whole number, {low} to {high}"))
    return low


def _budget(text: str, problems: dict[str, str]) -> float | None:
    if not text.strip():
        return None
    try:
        amount = float(text)
    except ValueError:
        amount = math.nan
    if math.isfinite(amount) and amount >= 0:
        return amount
    problems["budget"] = str(ParameterError("the budget", text, "a number of at least 0, or nothing for no limit"))
    return None


def _text(setting: VideoEnhance, path: str) -> str:
    value: Any = setting
    text: Callable[[object], str] = str
    for tag in path.split("."):
        part = next(one for one in parts(type(value)) if one.tag == tag)
        value, text = getattr(value, part.name), part.text
        if value is None:
            return OUT_WORD
    return "on" if isinstance(value, Node) else "AUTO" if value is AUTO else text(value)
