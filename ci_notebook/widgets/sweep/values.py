"""Values of a sweep as text, both ways, and the Python of a sweep.

    0, 3, 6, 9      a list             0:10:2          from 0 to 10 in steps of 2, both ends included
    AUTO            the empty node     left out        the node is absent
    as in the base  a whole stage, with all parameters of the base
    0..10           any number between, for a random design only

Invariant: an invalid text is rejected with a message and never changed to fit.
"""

from __future__ import annotations

import csv
import io
import keyword
from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal, InvalidOperation
from typing import Any, Final

from ci_notebook.model.declaration.node import AUTO, Part, parts
from ci_notebook.model.declaration.paths import Leaf, leaves, resolve
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.widgets.enhance.export import python_text

__all__ = [
    "DESIGNS",
    "OUT_WORD",
    "code",
    "described",
    "name_of",
    "stage_values",
    "stages_of",
    "text_of",
    "values_of",
]

AUTO_WORD: Final = "AUTO"
OUT_WORD: Final = "left out"
BASE_WORD: Final = "as in the base"
DESIGNS: Final = {
    "grid": "all combinations", "one_at_a_time": "one change at a time", "random": "random combinations",
    "pairs": "two settings at every combination",
}  # fmt: skip
# A longer list is probably a typing error (0:1:0.0001).
MAX_VALUES: Final = 200
# Columns that the panel shows without scrolling.
_WIDTH: Final = 50


def values_of(leaf: Leaf, text: str, kind: str = "grid") -> list[Any] | tuple[float, float]:
    """Return the values in a text, each once; for `a..b`, the pair of its ends.

    >>> values_of(resolve(VideoEnhance, "SharpenLevel"), "0:9:3, AUTO, left out")
    [0, 3, 6, 9, AUTO, None]

    Raises `ParameterError` for a value that the leaf does not accept.
    """
    items = [item.strip() for row in csv.reader(text.splitlines(), skipinitialspace=True) for item in row]
    values: dict[Any, None] = {}
    for item in filter(None, items):
        span = _span(leaf, item)
        if span is not None and len(list(filter(None, items))) == 1 and kind == "random":
            return span
        if span is not None:
            remedy = (
                "A range with .. works only in a random design, as the only entry. "
                f"For a list write {item.replace('..', ':')}."
            )
            raise ParameterError(leaf.path, item, leaf.part.allowed(), remedy)
        values.update(dict.fromkeys(_listed(leaf, item)))
        if len(values) > MAX_VALUES:
            raise ParameterError(leaf.path, item, f"at most {MAX_VALUES} values", "Use a larger step.")
    if not values:
        raise ParameterError(leaf.path, "nothing", f"at least one value: {leaf.part.allowed()}")
    return list(values)


def text_of(leaf: Leaf, values: Iterable[Any]) -> str:
    """Return the text of a list of values; for a pair of numbers, `low..high`."""
    if isinstance(values, tuple):
        return f"{values[0]}..{values[1]}"
    words = [OUT_WORD if v is None else AUTO_WORD if v is AUTO else leaf.part.text(leaf.part.coerce(v)) for v in values]
    line = io.StringIO()
    csv.writer(line, lineterminator="").writerow(words)
    return line.getvalue().replace(",", ", ") if '"' not in line.getvalue() else line.getvalue()


def name_of(leaf: Leaf) -> str:
    """Return the shortest unambiguous ending of the path of a leaf."""
    tags = leaf.path.split(".")
    for start in range(len(tags) - 1, -1, -1):
        ending = ".".join(tags[start:])
        try:
            if resolve(VideoEnhance, ending).path == leaf.path:
                return ending
        except ParameterError:  # another leaf has the same ending
            continue
    return leaf.path


def stages_of(base: VideoEnhance) -> dict[str, Part]:
    """Return tag → declaration of the stages that are on in a setting; each can vary as present or left out."""
    return {part.tag: part for part in parts(VideoEnhance) if part.node and getattr(base, part.name) is not None}


def stage_values(base: VideoEnhance, part: Part, text: str) -> list[Any]:
    """Return the values in a text for a whole stage: the stage of the base, and None.

    >>> from ci_notebook.model.setting.enhance import MsSharpen
    >>> base = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
    >>> stage_values(base, stages_of(base)["MsSharpen"], "as in the base, left out")
    [MsSharpen(sharpen_level=5), None]

    Raises `ParameterError` for anything else.
    """
    known = {BASE_WORD: getattr(base, part.name), OUT_WORD: None}
    items = dict.fromkeys(filter(None, (item.strip() for item in text.split(","))))
    if not items or not items.keys() <= known.keys():
        raise ParameterError(part.tag, text or "nothing", " or ".join(known))
    return [known[item] for item in items]


def described(base: VideoEnhance) -> list[dict[str, Any]]:
    """Return every stage and leaf that can vary, for the search: name, help, accepted values, example."""
    stages = [_stage_described(part) for part in stages_of(base).values()]
    return [*stages, *(_described(leaf) for leaf in leaves(VideoEnhance) if leaf.single)]


def code(
    kind: str, base: VideoEnhance, values: Mapping[str, Any], *, n: int, seed: int, against: VideoEnhance | None,
    clips: str, budget: float | None,
) -> str:  # fmt: skip
    """Return the Python that builds and runs a sweep. `values` maps paths; `clips` is the expression for the clips."""
    lines, arguments = [], []
    empty = VideoEnhance()
    if base != empty or kind == "pairs":
        lines.append(f"base = {python_text(base)}")
        arguments.append("base")
    if kind == "pairs":
        lines.append(f"against = {python_text(against if against is not None else empty)}")
        arguments.append("against")
    if kind == "random":
        arguments += [f"n={n}", f"seed={seed}"]
    arguments += [_argument(path, listed) for path, listed in values.items()]
    call = f"sweep = ci.{kind}({', '.join(arguments)})"
    if len(call) > _WIDTH:
        call = f"sweep = ci.{kind}(\n" + "".join(f"    {one},\n" for one in arguments) + ")"
    limit = "" if budget is None else f", budget={budget:g}"
    return "\n".join([*lines, call, f"runs = lab.run({clips}, sweep{limit})"])


def _argument(path: str, values: Any) -> str:
    if "." not in path:
        name = next(part.name for part in parts(VideoEnhance) if part.tag == path)
        return f"{path}=[{', '.join('None' if value is None else f'base.{name}' for value in values)}]"
    name = name_of(resolve(VideoEnhance, path))
    literal = _literal(values)
    return f"{name}={literal}" if name.isidentifier() and not keyword.iskeyword(name) else f"**{{{name!r}: {literal}}}"


def _literal(values: Any) -> str:
    if isinstance(values, tuple):
        return repr(values)
    return f"[{', '.join('ci.AUTO' if value is AUTO else repr(value) for value in values)}]"


def _listed(leaf: Leaf, item: str) -> Sequence[Any]:
    part = leaf.part
    if item in (OUT_WORD, "None"):
        return [None]
    if item == AUTO_WORD and not part.choices:
        if not part.auto:
            raise ParameterError(leaf.path, item, part.allowed())
        return [AUTO]
    if part.kind in (int, float) and ":" in item:
        return [_value(leaf, one) for one in _steps(leaf, item)]
    return [_value(leaf, item)]


def _value(leaf: Leaf, text: str) -> Any:
    value = leaf.part.parse(text)
    if complaint := leaf.part.complaint(value):
        raise ParameterError(leaf.path, value, complaint, leaf.part.param.remedy)
    return value


def _steps(leaf: Leaf, item: str) -> list[str]:
    form = "start:stop or start:stop:step, with a step over 0"
    try:
        numbers = [Decimal(word.strip()) for word in item.split(":")]
    except InvalidOperation:
        numbers = []
    if len(numbers) not in (2, 3) or not all(number.is_finite() for number in numbers):
        raise ParameterError(leaf.path, item, form)
    start, stop, step = (*numbers, Decimal(1))[:3]
    if step <= 0 or stop < start:
        raise ParameterError(leaf.path, item, form)
    if (stop - start) / step > MAX_VALUES:
        raise ParameterError(leaf.path, item, f"at most {MAX_VALUES} values", "Use a larger step.")
    return [f"{start + at * step:f}" for at in range(int((stop - start) / step) + 1)]


def _span(leaf: Leaf, item: str) -> tuple[float, float] | None:
    low, dots, high = item.partition("..")
    if not dots or leaf.part.kind not in (int, float):
        return None
    ends = _value(leaf, low.strip()), _value(leaf, high.strip())
    if not all(type(end) in (int, float) for end in ends) or ends[0] >= ends[1]:
        raise ParameterError(leaf.path, item, "low..high, the lower number first")
    return ends


def _stage_described(part: Part) -> dict[str, Any]:
    words = [BASE_WORD, OUT_WORD]
    return {
        "path": part.tag, "name": part.tag, "stage": part.param.help.rstrip("."), "unit": "", "words": words,
        "help": "The whole stage with all its parameters, or without it.", "takes": " or ".join(words),
        "common": True, "start": ", ".join(words),
    }  # fmt: skip


def _described(leaf: Leaf) -> dict[str, Any]:
    part: Part = leaf.part
    choices = ["true", "false"] if part.kind is bool else [str(choice) for choice in part.choices]
    words = [*choices, *([AUTO_WORD] if part.auto else []), OUT_WORD]
    return {
        "path": leaf.path,
        "name": name_of(leaf),
        "stage": leaf.steps[0].param.help.rstrip("."),
        "help": part.param.help,
        "takes": part.allowed(),
        "unit": part.param.unit,
        "words": words,
        "common": part.param.common,
        "start": _start(part, choices),
    }


def _start(part: Part, choices: list[str]) -> str:
    """Return the initial text for a leaf: a few values across its range."""
    if part.kind not in (int, float):
        return ", ".join(choices[:4]) if choices else ""
    low, high = part.param.low, part.param.high
    if low is None or high is None or high - low > 1000:
        return ""
    step = max(1, round((high - low) / 5))
    return f"{low + (step if part.param.above is not None else 0):g}:{high:g}:{step}"
