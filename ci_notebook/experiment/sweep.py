"""Sweeps: sequences of settings to try, which know what varies between them.

    grid(base, SharpenLevel=[0, 5, 10], Resolution=[None, "sdtohd"])

A parameter is named by its path below `VideoEnhance` or by an unambiguous ending of the path; a whole
stage by its tag (`MsSharpen=[None, MsSharpen(sharpen_level=5)]`). A setting that the service stores is
represented by its template. None leaves a leaf out; without its only leaf or a required leaf, the node
is left out too. Equal settings are listed once. A setting that cannot be sent is refused at once.
"""

from __future__ import annotations

import dataclasses
import itertools
import random as stdlib_random
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, overload

from ci_notebook.experiment.settings import TEMPLATE, Setting, Steps, checked, content, listed, nodes
from ci_notebook.model.api.templates import Template
from ci_notebook.model.declaration.node import Node, Part
from ci_notebook.model.declaration.paths import Leaf, leaves, resolve, with_value
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.html import Markup, bold, table_html, value_html
from ci_notebook.model.setting.enhance import VideoEnhance

N = TypeVar("N", bound=Node)


class Sweep(Sequence[Setting]):
    """Settings to try, in order, each once. Its repr shows only what differs between them.

    Raises `ParameterError` for a setting that cannot be sent.
    """

    def __init__(self, settings: Iterable[Setting]) -> None:
        self._settings = tuple(dict.fromkeys(checked(setting) for setting in settings))

    @property
    def settings(self) -> tuple[Setting, ...]:
        """The settings, in order."""
        return self._settings

    @property
    def varies(self) -> tuple[str, ...]:
        """The paths whose values differ between the settings, in XML order."""
        return tuple(path for path, column in self._columns().items() if any(v != column[0] for v in column))

    @property
    def common(self) -> dict[str, Any]:
        """Path → value of the leaves that are equal in all settings."""
        varies = set(self.varies)
        return {path: column[0] for path, column in self._columns().items() if path not in varies}

    def _columns(self) -> dict[str, list[Any]]:
        rows = [listed(setting) for setting in self._settings]
        columns = {
            path: [row.get(path) for row in rows] for path in dict.fromkeys(path for row in rows for path in row)
        }
        order = {TEMPLATE: 0}
        for leaf in leaves(VideoEnhance):
            for end in range(1, len(leaf.steps) + 1):
                order.setdefault(".".join(step.tag for step in leaf.steps[:end]), len(order))
        return dict(sorted(columns.items(), key=lambda item: order.get(item[0], len(order))))

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


def grid(base: Setting | None = None, /, **values_of: object) -> Sweep:
    """Return every combination of the values of each leaf, the last leaf varying fastest.

    Write dotted names as `**{"Video.Bitrate": [1000, 2000]}`. A single value means a list of one value.
    The leaves are changed in `base`; None is the empty setting, and of a template its content is used.

    >>> [s.ms_sharpen for s in grid(None, SharpenLevel=[None, 5])]
    [None, MsSharpen(sharpen_level=5)]

    Raises `ParameterError` for an unknown or ambiguous name, and for a setting that cannot be sent.
    """
    axes = _axes(values_of)
    return Sweep(_set(base, zip(axes, point, strict=True)) for point in itertools.product(*axes.values()))


def one_at_a_time(base: Setting | None = None, /, **values_of: object) -> Sweep:
    """Return `base`, then `base` with one leaf changed at a time, to each of its values."""
    singles = (_set(base, [(steps, value)]) for steps, values in _axes(values_of).items() for value in values)
    return Sweep((base if base is not None else VideoEnhance(), *singles))


def pairs(a: Setting, b: Setting, /, **values_of: object) -> Sweep:
    """Return `a` and `b` at every point of the grid of `values_of`, for a comparison of the two."""
    axes = _axes(values_of)
    points = [list(zip(axes, point, strict=True)) for point in itertools.product(*axes.values())]
    return Sweep(_set(base, point) for point in points for base in (a, b))


def random(base: Setting | None = None, /, n: int = 10, *, seed: int = 0, **values_of: object) -> Sweep:
    """Return `n` different random settings from the grid of `values_of`; fewer if it has fewer.

    The values of a leaf are a list, or a tuple `(low, high)` for any number between them (an integer if
    the leaf is an integer). The same seed gives the same settings.
    """
    spans = {name: v for name, v in values_of.items() if _is_span(v)}
    axes = _axes({name: [v] if name in spans else v for name, v in values_of.items()})
    draw, settings = stdlib_random.Random(seed), dict[Setting, None]()  # noqa: S311 - a design, not a secret
    for _ in range(50 * n):  # a small grid has fewer settings
        if len(settings) == n:
            break
        point = [(p, _between(draw, p[-1], v[0]) if _is_span(v[0]) else draw.choice(v)) for p, v in axes.items()]
        settings[_set(base, point)] = None
    return Sweep(settings)


def explicit(*settings: Setting | Iterable[Setting]) -> Sweep:
    """Return a sweep of the listed settings; a sweep among them is expanded."""
    return Sweep(itertools.chain.from_iterable([s] if isinstance(s, Setting) else s for s in settings))


def templates(*ids: str) -> Sweep:
    """Return a sweep of templates, by their ids. The run reads their content from the service.

    >>> templates("t1", "t2")
    <Sweep of 2 settings over TemplateId>
    """
    return Sweep(Template(tag="VideoEnhance", template_id=one) for one in ids)


def _axes(values_of: Mapping[str, object]) -> dict[Steps, list[Any]]:
    axes: dict[Steps, list[Any]] = {}
    for name, value in values_of.items():
        values = list(value) if isinstance(value, Iterable) and not isinstance(value, (str, bytes)) else [value]
        if not values:
            raise ParameterError.plain(f"{name} has an empty list of values. Give at least one value.")
        steps = steps_of(name)
        if steps in axes:
            raise ParameterError.plain(f"{name} is listed twice, under two names. Give all its values in one list.")
        axes[steps] = [steps[-1].coerce(one) for one in values]
    return axes


def steps_of(name: str) -> Steps:
    """Return the steps to the leaf or whole node with this name. Raises `ParameterError` for none and for several."""
    stage = nodes().get(name)
    if stage is not None:
        return stage
    leaf = resolve(VideoEnhance, name)
    if not leaf.single:
        raise ParameterError.plain(
            f"{leaf.path} can be repeated, so it has no single value. Sweep over the whole node."
        )
    return leaf.steps


def _set(base: Setting | None, point: Iterable[tuple[Steps, Any]]) -> Setting:
    point = list(point)
    if isinstance(base, Template) and not point:
        return base
    setting = content(base) if base is not None else VideoEnhance()
    dropped: list[Steps] = []
    for steps, target in point:
        value = () if target is None and steps[-1].many else target
        setting = with_value(setting, Leaf(".".join(step.tag for step in steps), steps), value)
        if value is None and steps[-1].param.required:
            dropped.append(steps[:-1])
    for steps in dropped:
        if steps:
            setting = _drop(setting, steps)
    return setting


def _drop(node: N, steps: Steps) -> N:
    """Remove a node, but no node above it, even if it is empty then."""
    step, rest = steps[0], steps[1:]
    child = getattr(node, step.name)
    if child is None:
        return node
    return dataclasses.replace(node, **{step.name: _drop(child, rest) if rest else None})  # type: ignore[type-var]


def _is_span(values: Any) -> bool:
    numbers = isinstance(values, tuple) and len(values) == 2 and all(type(v) in (int, float) for v in values)
    return numbers and values[0] < values[1]


def _between(draw: stdlib_random.Random, part: Part, span: tuple[float, float]) -> float:
    if part.kind is not int:
        return round(draw.uniform(*span), 3)
    low, high, step = int(span[0]), int(span[1]), 2 if part.param.even else 1
    return draw.randrange(low + low % step, high + 1, step)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
