"""Reads a custom price list from a TOML file, to use instead of the published lists.

    name = "our contract"
    currency = "CNY"
    date = "2026-11-01"
    source = "contract 4711"

    [items]
    MsSharpen = 0.3                        # per minute of the input
    ColorEnhance = 0.3

    [items."SuperResolution.Base"]
    minutes = "output"                     # whose length counts; the default is input
    fast_from = 30                         # the lowest frame rate with the "fast" price
    above = false                          # true: that rate itself has the "slow" price
    steps = [
        { pixels = 2073600, slow = 2.0, fast = 2.7 },
        { slow = 4.0, fast = 8.0 },        # no limit: all larger frames
    ]

A stage that is not listed has no price, so a budget cannot be checked for it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ci_notebook._folders import readable_file, reading
from ci_notebook.experiment.pricing.price import MAINLAND, Item, PriceList, Step
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.text_bytes import read_text

STAGES: Final = tuple(MAINLAND.items)


def read_prices(path: str | Path) -> PriceList:
    """Return the price list in a TOML file. Raises `ParameterError` with the mistake in the file."""
    path = Path(path)
    try:
        with reading(path):
            text = read_text(readable_file(path))
        table = tomllib.loads(text)
    except UnicodeDecodeError as problem:
        raise ParameterError.plain(f"{path.name} is not text in UTF-8. Save it with the encoding UTF-8.") from problem
    except tomllib.TOMLDecodeError as problem:
        raise ParameterError.plain(f"{path.name} is not a valid TOML file: {problem}.") from problem
    currency = table.get("currency")
    if not isinstance(currency, str) or not currency:
        raise ParameterError.plain(f'{path.name} needs a currency code, such as currency = "CNY".')
    items = table.get("items")
    if not isinstance(items, Mapping) or not items:
        raise ParameterError.plain(f"{path.name} needs a table [items] with prices for {', '.join(STAGES)}.")
    checked = {}
    for stage, value in items.items():
        if stage not in STAGES:
            raise ParameterError.plain(
                f"{path.name} has a price for {stage!r}, but the stages are {', '.join(STAGES)}. "
                'Write a name with a dot in quotation marks: "SuperResolution.Base" = 1.'
            )
        checked[stage] = _item(f"{stage} in {path.name}", value)
    about = {key: str(table.get(key, "")) for key in ("date", "source")}
    return PriceList(name=str(table.get("name", path.stem)), currency=currency, items=checked, **about)


def _item(name: str, value: Any) -> Item:
    if _is_price(value):
        return Item("input", (Step(None, float(value), float(value)),))
    if not isinstance(value, Mapping):
        raise ParameterError.plain(f"{name} needs a price per minute, or a table with steps.")
    minutes, steps = value.get("minutes", "input"), value.get("steps")
    if minutes not in ("input", "output"):
        raise ParameterError.plain(f"{name}: minutes is {minutes!r}; use input or output.")
    if not isinstance(steps, list) or not steps:
        raise ParameterError.plain(f"{name}: steps needs a list with at least one step.")
    parsed = [_step(name, one) for one in steps]
    if any(a.pixels is None or (b.pixels is not None and b.pixels <= a.pixels) for a, b in zip(parsed, parsed[1:])):  # noqa: B905, RUF007 - neighbours
        raise ParameterError.plain(f"{name}: pixels must grow from step to step, and only the last may have no limit.")
    return Item(minutes, tuple(parsed), float(value.get("fast_from", 30)), bool(value.get("above", False)))


def _step(name: str, value: Any) -> Step:
    fields: Mapping[str, Any] = value if isinstance(value, Mapping) else {}
    slow, pixels = fields.get("slow"), fields.get("pixels")
    fast = fields.get("fast", slow)
    if slow is None or not _is_price(slow) or not _is_price(fast) or not (pixels is None or type(pixels) is int):
        raise ParameterError.plain(f"{name}: the step {value!r} is not a table with slow, fast and pixels.")
    return Step(pixels, float(slow), float(fast))


def _is_price(value: Any) -> bool:
    return type(value) in (int, float) and value >= 0
