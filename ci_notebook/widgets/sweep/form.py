"""From the fields of a sweep panel to a sweep, its Python and the table of its runs, without a widget.

Invariant: every invalid field is reported by name, and then there is no sweep.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from html import escape
from typing import Any, Final, NamedTuple

from ci_notebook.model.declaration.node import AUTO, Node, parts
from ci_notebook.model.declaration.paths import leaves, resolve
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.widgets.ports import SweepSettings
from ci_notebook.widgets.sweep.values import OUT_WORD, code, stage_values, stages_of, values_of

__all__ = ["MAX_ROWS", "MAX_RUNS", "SweepFields", "SweepForm", "ValidSweep", "sweep_html", "table_of"]

# A limit against typing errors; larger sweeps are for `lab.run`.
MAX_RUNS: Final = 2000
MAX_ROWS: Final = 50


class SweepFields(NamedTuple):
    """Content of the fields: texts as typed; `chosen` are the numbers of the clips."""

    vary: Sequence[Sequence[str]]
    kind: str
    n: str
    seed: str
    budget: str
    chosen: Sequence[int]


class ValidSweep(NamedTuple):
    """The sweep that valid fields describe."""

    sweep: SweepSettings
    clips: tuple[int, ...]
    python: str
    budget: float | None


class SweepForm(NamedTuple):
    """The constant part of a panel: base setting, number of clips, and the function that builds a sweep.

    `is_one` says that the panel was given one clip and not a list.
    """

    base: VideoEnhance
    against: VideoEnhance | None
    clips: int
    is_one: bool
    design: Callable[..., SweepSettings]

    def read(self, fields: SweepFields) -> tuple[ValidSweep | None, dict[str, str]]:
        """Return the sweep and no problems, or None and field → message of each problem."""
        problems: dict[str, str] = {}
        values = _values(self.base, fields, problems)
        is_random = fields.kind == "random"
        n = _whole("n", fields.n, problems, low=1, high=MAX_RUNS) if is_random else 10
        seed = _whole("seed", fields.seed, problems, low=0, high=2**31) if is_random else 0
        budget = _budget(fields.budget, problems)
        chosen = tuple(sorted(set(fields.chosen)))
        if not chosen or not set(chosen) <= set(range(self.clips)):
            problems["chosen"] = "Choose at least one clip."
        runs = _size(fields.kind, values, n) * len(chosen)
        if runs > MAX_RUNS:
            problems[""] = f"A panel runs at most {MAX_RUNS} runs; this sweep has {runs}. Use lab.run for more."
        sweep = None if problems else self._design(fields.kind, values, n, seed, problems)
        if sweep is None:
            return None, problems
        text = code(
            fields.kind, self.base, values, n=n, seed=seed, against=self.against,
            clips=self._clips_text(chosen), budget=budget,
        )  # fmt: skip
        return ValidSweep(sweep, chosen, text, budget), {}

    def _design(
        self, kind: str, values: Mapping[str, Any], n: int, seed: int, problems: dict[str, str]
    ) -> SweepSettings | None:
        try:
            return self.design(kind, self.base, values, n=n, seed=seed, against=self.against)
        except ParameterError as error:
            path = error.path.rpartition("VideoEnhance.")[2]
            is_field = path in values
            problems[path if is_field else ""] = (
                str(error) if is_field else f"{error} Set it in the base, or vary it, too."
            )
            return None

    def _clips_text(self, chosen: tuple[int, ...]) -> str:
        if self.is_one:
            return "clip"
        return "clips" if len(chosen) == self.clips else f"[{', '.join(f'clips[{at}]' for at in chosen)}]"


def table_of(valid: ValidSweep, names: Sequence[str]) -> dict[str, Any]:
    """Return the first runs as texts, clip by clip, only with the parameters that differ; and the number of runs."""
    paths = valid.sweep.varies
    heads = [*(["clip"] if len(valid.clips) > 1 else []), *paths]
    settings = list(valid.sweep)
    rows: list[list[str]] = []
    for at in valid.clips:
        for setting in settings[: MAX_ROWS - len(rows)]:
            rows.append([*([names[at]] if len(valid.clips) > 1 else []), *(_text(setting, path) for path in paths)])
    return {"heads": heads, "rows": rows, "count": len(settings) * len(valid.clips)}


def sweep_html(valid: ValidSweep, names: Iterable[str], note: str) -> str:
    """Return a sweep as plain HTML, below a note."""
    heading = f"<p style='margin:8px 0 4px'>{escape(note)} · {escape(', '.join(names))}</p>"
    return heading + valid.sweep._repr_html_()


def _values(base: VideoEnhance, fields: SweepFields, problems: dict[str, str]) -> dict[str, Any]:
    known, stages = {leaf.path for leaf in leaves(VideoEnhance) if leaf.single}, stages_of(base)
    values: dict[str, Any] = {}
    for path, text in fields.vary:
        try:
            if path not in {*known, *stages}:
                raise ParameterError.plain(f"{path} cannot vary: it is no parameter, and no stage of the base.")
            if path in values:
                raise ParameterError.plain(f"{path} is listed twice.")
            values[path] = (
                stage_values(base, stages[path], text)
                if path in stages
                else values_of(resolve(VideoEnhance, path), text, fields.kind)
            )
        except ParameterError as error:
            problems[path] = str(error)
    return values


def _size(kind: str, values: Mapping[str, Any], n: int) -> int:
    counts = [len(one) for one in values.values() if isinstance(one, list)]
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
    problems["budget"] = str(ParameterError("budget", text, "a number of at least 0, or empty for no limit"))
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
