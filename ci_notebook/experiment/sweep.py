"""Which settings to try: a sweep is a sequence of settings that knows what varies in it.

    grid(base, SharpenLevel=[0, 5, 10], Resolution=[None, "sdtohd"])

A parameter is named by its path below `VideoEnhance` or by an unambiguous ending of it; a whole
stage by its tag (`MsSharpen=[None, MsSharpen(sharpen_level=5)]`). A setting that the service stores
stands in a sweep as its template. A value of None leaves the leaf
out; leaving out the only leaf of a node, or the leaf without which the node could not be sent,
leaves the node out. Equal settings are kept once. What cannot be sent is refused at once.
"""

from __future__ import annotations

import dataclasses
import itertools
import random as stdlib_random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, overload

from ci_notebook.experiment.settings import TEMPLATE, Place, Setting, checked, content, nodes, shown
from ci_notebook.model.api.templates import Template
from ci_notebook.model.declaration.node import Node, Part
from ci_notebook.model.declaration.paths import Leaf, leaves, resolve, with_value
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.html import Markup, bold, table_html, value_html
from ci_notebook.model.setting.enhance import VideoEnhance

N = TypeVar("N", bound=Node)


class Sweep(Sequence[Setting]):
    """Settings to be tried, first to last, each once. Shows only what differs between them.

    Raises `ParameterError` for a setting that could not be sent.
    """

    def __init__(self, settings: Iterable[Setting]) -> None:
        self._settings = tuple(dict.fromkeys(checked(setting) for setting in settings))

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The settings, first to last."""
        return self._settings

    @property
    def varies(self) -> tuple[str, ...]:
        """The paths whose values differ between the settings, in the order of the wire."""
        return tuple(path for path, column in self._columns().items() if any(v != column[0] for v in column))

    @property
    def common(self) -> dict[str, Any]:
        """Path → value of what is set alike in all settings."""
        varies = set(self.varies)
        return {path: column[0] for path, column in self._columns().items() if path not in varies}

    def _columns(self) -> dict[str, list[Any]]:
        rows = [shown(setting) for setting in self._settings]
        found = {path: [row.get(path) for row in rows] for path in dict.fromkeys(path for row in rows for path in row)}
        order = {TEMPLATE: 0}
        for leaf in leaves(VideoEnhance):
            for end in range(1, len(leaf.steps) + 1):
                order.setdefault(".".join(step.tag for step in leaf.steps[:end]), len(order))
        return dict(sorted(found.items(), key=lambda item: order.get(item[0], len(order))))

    @overload
    def __getitem__(self, index: int) -> Setting: ...
    @overload
    def __getitem__(self, index: slice) -> Sweep: ...
    def __getitem__(self, index: int | slice) -> Setting | Sweep:
        return Sweep(self._settings[index]) if isinstance(index, slice) else self._settings[index]

    def __len__(self) -> int:
        return len(self._settings)

    def __iter__(self) -> Iterator[Setting]:
        return iter(self._settings)

    def __add__(self, other: Iterable[Setting]) -> Sweep:
        return Sweep((*self._settings, *other))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sweep) and self._settings == other._settings

    def __hash__(self) -> int:
        return hash(self._settings)

    def __repr__(self) -> str:
        over = f" over {', '.join(self.varies)}" if self.varies else ""
        return f"<Sweep of {_count(len(self), 'setting')}{over}>"

    def _repr_html_(self) -> str:
        columns, varies, common = self._columns(), self.varies, self.common
        rows = [
            [str(number + 1), *(value_html(columns[path][number]) for path in varies)] for number in range(len(self))
        ]
        alike = "; the same in all: " + ", ".join(f"{k} {value_html(v)}" for k, v in common.items()) if common else ""
        caption = Markup(f"{bold('Sweep of ' + _count(len(self), 'setting'))}{alike}")
        return table_html(rows, head=["#", *varies], caption=caption, numeric=(0,), row_heads=True)


def grid(base: Setting | None = None, /, **values_of: Any) -> Sweep:
    """Return every combination of the values of each leaf, the last leaf varying fastest.

    Dotted names go in as `**{"Video.Bitrate": [1000, 2000]}`. A single value stands for a list of
    one. `base` is what the leaves are set in; None is the empty setting, and a template lends its own.

    >>> [s.ms_sharpen for s in grid(None, SharpenLevel=[None, 5])]
    [None, MsSharpen(sharpen_level=5)]

    Raises `ParameterError` for an unknown or ambiguous name and for what cannot be sent.
    """
    places = _places(values_of)
    return Sweep(_set(base, zip(places, point, strict=True)) for point in itertools.product(*places.values()))


def one_at_a_time(base: Setting | None = None, /, **values_of: Any) -> Sweep:
    """Return `base` itself, then `base` with one leaf changed at a time to each of its values."""
    singles = (_set(base, [(place, value)]) for place, listed in _places(values_of).items() for value in listed)
    return Sweep((base if base is not None else VideoEnhance(), *singles))


def pairs(a: Setting, b: Setting, /, **values_of: Any) -> Sweep:
    """Return `a` and `b` side by side at every point of the grid of `values_of`: what a comparison needs."""
    places = _places(values_of)
    points = [list(zip(places, point, strict=True)) for point in itertools.product(*places.values())]
    return Sweep(_set(base, point) for point in points for base in (a, b))


def random(base: Setting | None = None, /, n: int = 10, *, seed: int = 0, **values_of: Any) -> Sweep:
    """Return `n` different settings drawn from the grid of `values_of`; fewer when it has fewer.

    The values of a leaf are a list to draw from, or a tuple `(low, high)` of numbers: any number
    between them, whole for a whole-number leaf. The same seed draws the same settings.
    """
    spans = {name: v for name, v in values_of.items() if _is_span(v)}
    places = _places({name: [v] if name in spans else v for name, v in values_of.items()})
    draw, drawn = stdlib_random.Random(seed), dict[Setting, None]()  # noqa: S311 - a design, not a secret
    for _ in range(50 * n):  # a small grid runs out: then fewer come back
        if len(drawn) == n:
            break
        point = [(p, _between(draw, p[-1], v[0]) if _is_span(v[0]) else draw.choice(v)) for p, v in places.items()]
        drawn[_set(base, point)] = None
    return Sweep(drawn)


def explicit(*settings: Setting | Iterable[Setting]) -> Sweep:
    """Return a sweep of the settings as they are listed; a sweep among them is taken apart."""
    return Sweep(itertools.chain.from_iterable([s] if isinstance(s, Setting) else s for s in settings))


def templates(*ids: str) -> Sweep:
    """Return a sweep of settings that the service stores, by their ids. What they hold is asked for by the run.

    >>> templates("t1", "t2")
    <Sweep of 2 settings over TemplateId>
    """
    return Sweep(Template(tag="VideoEnhance", template_id=one) for one in ids)


def _places(values_of: Mapping[str, Any]) -> dict[Place, list[Any]]:
    places = {}
    for name, given in values_of.items():
        listed = list(given) if isinstance(given, Iterable) and not isinstance(given, (str, bytes)) else [given]
        if not listed:
            raise ParameterError(name, given, "at least one value")
        place = place_of(name)
        if place in places:
            raise ParameterError(name, given, "one list of values, given once")
        places[place] = [place[-1].coerce(value) for value in listed]
    return places


def place_of(name: str) -> Place:
    """Return the way to the leaf or whole node that `name` means. Raises `ParameterError` for none and for several."""
    stage = nodes().get(name)
    if stage is not None:
        return stage
    leaf = resolve(VideoEnhance, name)
    if not leaf.single:
        raise ParameterError(leaf.path, name, "no single value: it may be repeated", "Sweep over the whole node.")
    return leaf.steps


def _set(base: Setting | None, point: Iterable[tuple[Place, Any]]) -> Setting:
    point = list(point)
    if isinstance(base, Template) and not point:
        return base
    setting = content(base) if base is not None else VideoEnhance()
    without: list[Place] = []
    for steps, given in point:
        value = () if given is None and steps[-1].many else given
        setting = with_value(setting, Leaf(".".join(step.tag for step in steps), steps), value)
        if value is None and steps[-1].param.required:
            without.append(steps[:-1])
    for steps in without:
        if steps:
            setting = _drop(setting, steps)
    return setting


def _drop(node: N, steps: Place) -> N:
    """Leave a node out, and nothing above it: an emptied parent was there by its own right."""
    step, rest = steps[0], steps[1:]
    child = getattr(node, step.name)
    if child is None:
        return node
    return dataclasses.replace(node, **{step.name: _drop(child, rest) if rest else None})  # type: ignore[type-var]


def _is_span(given: Any) -> bool:
    numbers = isinstance(given, tuple) and len(given) == 2 and all(type(v) in (int, float) for v in given)
    return numbers and given[0] < given[1]


def _between(draw: stdlib_random.Random, part: Part, span: tuple[float, float]) -> float:
    if part.kind is not int:
        return round(draw.uniform(*span), 3)
    low, high, step = int(span[0]), int(span[1]), 2 if part.param.even else 1
    return draw.randrange(low + low % step, high + 1, step)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
