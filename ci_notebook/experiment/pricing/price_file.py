"""A price list of one's own, read from a TOML file, to be used in place of the published ones.

    name = "our contract"
    currency = "CNY"
    date = "2026-11-01"
    source = "contract 4711"

    [items]
    MsSharpen = 0.3                        # a minute of the input
    ColorEnhance = 0.3

    [items."SuperResolution.Base"]
    minutes = "output"                     # whose length counts; input where it is left out
    fast_from = 30                         # the first rate that costs the second price
    above = false                          # true: that rate itself still costs the first
    steps = [
        { pixels = 2073600, slow = 2.0, fast = 2.7 },
        { slow = 4.0, fast = 8.0 },        # without a limit: everything larger
    ]

A stage that is not listed has no price, and no budget can be kept with it.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from ci_notebook.experiment.pricing.price import MAINLAND, Item, PriceList, Step
from ci_notebook.model.errors import ParameterError

STAGES: Final = tuple(MAINLAND.items)


def read_prices(path: str | Path) -> PriceList:
    """Return the price list that a TOML file holds. Raises `ParameterError` naming what is wrong in it."""
    path = Path(path)
    try:
        read = tomllib.loads(path.read_text("utf-8"))
    except tomllib.TOMLDecodeError as problem:
        raise ParameterError(path.name, str(problem), "a TOML file") from problem
    currency = read.get("currency")
    if not isinstance(currency, str) or not currency:
        raise ParameterError(f"currency in {path.name}", currency, "the code of a currency, such as CNY")
    items = read.get("items")
    if not isinstance(items, Mapping) or not items:
        raise ParameterError(f"items in {path.name}", items, f"a table of prices for {', '.join(STAGES)}")
    found = {}
    for stage, given in items.items():
        if stage not in STAGES:
            raise ParameterError(f"items in {path.name}", stage, f"one of {', '.join(STAGES)}", 'Quote it: "A.B" = 1')
        found[stage] = _item(f"{stage} in {path.name}", given)
    about = {key: str(read.get(key, "")) for key in ("date", "source")}
    return PriceList(name=str(read.get("name", path.stem)), currency=currency, items=found, **about)


def _item(where: str, given: Any) -> Item:
    if _is_price(given):
        return Item("input", (Step(None, float(given), float(given)),))
    if not isinstance(given, Mapping):
        raise ParameterError(where, given, "a price a minute, or a table with steps")
    minutes, steps = given.get("minutes", "input"), given.get("steps")
    if minutes not in ("input", "output"):
        raise ParameterError(f"{where}, minutes", minutes, "input or output")
    if not isinstance(steps, list) or not steps:
        raise ParameterError(f"{where}, steps", steps, "a list of at least one step")
    made = [_step(f"{where}, steps", one) for one in steps]
    if any(a.pixels is None or (b.pixels is not None and b.pixels <= a.pixels) for a, b in zip(made, made[1:])):  # noqa: B905, RUF007 - neighbours
        raise ParameterError(f"{where}, steps", steps, "steps by rising pixels, one without a limit at the end")
    return Item(minutes, tuple(made), float(given.get("fast_from", 30)), bool(given.get("above", False)))


def _step(where: str, given: Any) -> Step:
    told: Mapping[str, Any] = given if isinstance(given, Mapping) else {}
    slow, pixels = told.get("slow"), told.get("pixels")
    fast = told.get("fast", slow)
    if slow is None or not _is_price(slow) or not _is_price(fast) or not (pixels is None or type(pixels) is int):
        raise ParameterError(where, given, "a table of slow, fast and pixels")
    return Step(pixels, float(slow), float(fast))


def _is_price(given: Any) -> bool:
    return type(given) in (int, float) and given >= 0
