"""The price of a job by the published price lists, explained per stage.

The price pages leave some points open. They are decided here:

- Minutes are not rounded up (seconds / 60), because no rounding is documented.
- "Input duration" is the whole source, even if a TimeInterval selects only a section: an estimate may
  be too high, but never too low.
- R <= 1920x1080 compares the number of pixels, so portrait and landscape videos cost the same.
- A frame larger than the last step of a list is charged as that step, and the line says so.
- FrameEnhance counts as on unless FrameDoubling is false, because its default is not documented.
- There is no extra transcoding fee, because none is documented. The price says so.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from typing import Final, Literal

from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.errors import BudgetExceeded, ParameterError
from ci_notebook.model.html import Markup, bold, table_html
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shape import length_s, plan, rates

# The bucket of the embedded engine, where jobs cost nothing. Its APPID is that of the API's own examples.
EMBEDDED_BUCKET: Final = "lab-1250000000"

_HD, _FHD, _2K, _4K = 1280 * 720, 1920 * 1080, 2560 * 1440, 3840 * 2160


@dataclass(frozen=True, slots=True)
class Step:
    """Prices per minute for frames of at most `pixels` (None: any): below the frame-rate limit, and from it on."""

    pixels: int | None
    slow: float
    fast: float


@dataclass(frozen=True, slots=True)
class Item:
    """The price of one stage. `minutes` says whose length counts; `fast_from` is the lowest fast frame rate.

    With `above`, that rate itself counts as slow (the international list splits Enhanced at F <= 30).
    """

    minutes: Literal["input", "output"]
    steps: tuple[Step, ...]
    fast_from: float = 30.0
    above: bool = False


@dataclass(frozen=True, slots=True)
class PriceList:
    """Published prices: stage → item. A stage that is missing has no published price."""

    name: str
    currency: str
    date: str
    source: str
    items: dict[str, Item]


def _flat(minutes: Literal["input", "output"], price: float) -> Item:
    return Item(minutes, (Step(None, price, price),))


MAINLAND: Final = PriceList(
    "mainland", "CNY", "2026-06-05", "quoted from cloud.tencent.com/document/product/460/58120",
    {
        "SuperResolution.Base": Item("output", (Step(_FHD, 2.4, 3.2), Step(None, 4.8, 9.6))),
        "SuperResolution.Enhance": Item("output", (Step(_HD, 4, 7.5), Step(_2K, 6.5, 12), Step(_4K, 15, 24))),
        "FrameEnhance": Item("output", (Step(_HD, 3, 6), Step(_2K, 6, 12), Step(_4K, 18, 36))),
        "ColorEnhance": _flat("input", 0.4), "MsSharpen": _flat("input", 0.4), "SDRtoHDR": _flat("input", 0.4),
    },
)  # fmt: skip

INTERNATIONAL: Final = PriceList(
    "international", "USD", "2023-07-10", "tencentcloud.com/document/product/1045/46980",
    {
        "SuperResolution.Base": Item("output", (Step(_FHD, 0.36, 0.72), Step(None, 0.5, 1.45))),
        "SuperResolution.Enhance": Item(
            "output", (Step(_HD, 0.588, 1.1), Step(_2K, 0.95, 1.76), Step(_4K, 2.2, 3.5)), above=True
        ),
        "ColorEnhance": _flat("input", 0.06), "MsSharpen": _flat("input", 0.06), "SDRtoHDR": _flat("output", 0.06),
    },
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Shape:
    """The properties that a price depends on: size in px, frame rate in 1/s, length in s."""

    width: int
    height: int
    fps: float
    duration_s: float

    @classmethod
    def of(cls, info: MediaInfo) -> Shape | None:
        """Return the shape of a file; None when one of the properties is unknown."""
        video = info.stream.video[0] if info.stream and info.stream.video else None
        duration = (info.format.duration if info.format else None) or (video.duration if video else None)
        facts = (video.width, video.height, video.fps, duration) if video else ()
        if not facts or not all(isinstance(fact, (int, float)) for fact in facts):
            return None
        return cls(*facts)  # type: ignore[arg-type]  # mypy does not follow the check of all four


@dataclass(frozen=True, slots=True)
class PriceLine:
    """The price of one stage. `amount` is None when the list has no price for it."""

    stage: str
    minutes: float
    rate: float | None
    why: str

    @property
    def amount(self) -> float | None:
        """The price of the stage, in the currency of the list."""
        return None if self.rate is None else self.rate * self.minutes


@dataclass(frozen=True, slots=True)
class Price:
    """The price of a job, per stage. It excludes storage, requests, traffic, and any fee for transcoding."""

    lines: tuple[PriceLine, ...]
    prices: PriceList

    @property
    def total(self) -> float:
        """The sum of the stages that have a price, in the currency of the list."""
        return sum((line.amount or 0.0) for line in self.lines)

    @property
    def is_complete(self) -> bool:
        """False when a stage has no price in the list, so the total is too low."""
        return all(line.rate is not None for line in self.lines)

    def __repr__(self) -> str:
        least = "" if self.is_complete else "at least "
        return f"<Price {least}{self.total:.4f} {self.prices.currency}, {self.prices.name} list of {self.prices.date}>"

    def _repr_html_(self) -> str:
        currency, least = self.prices.currency, "" if self.is_complete else "at least "
        rows = [
            (line.stage, line.why, _money(line.rate), f"{line.minutes:.4f}", _money(line.amount)) for line in self.lines
        ]
        source = f"{self.prices.name} list of {self.prices.date}, {self.prices.source}"
        return table_html(
            rows, head=("stage", "why", f"{currency} per minute", "minutes", currency), numeric=(2, 3, 4),
            row_heads=True,
            caption=Markup(
                f"{bold(f'{least}{self.total:.4f} {currency}')} · {escape(source)}; "
                "without storage, requests, traffic and transcoding"
            ),
        )  # fmt: skip


def price(setting: VideoEnhance, source: Shape, output: Shape, *, prices: PriceList = MAINLAND) -> Price:
    """Return the price of one job with `setting`, from the shapes of its source and output.

    >>> from ci_notebook.model.setting.enhance import MsSharpen
    >>> minute = Shape(1280, 720, 25, 60)
    >>> price(VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5)), minute, minute)
    <Price 0.4000 CNY, mainland list of 2026-06-05>
    """
    return Price(tuple(_line(stage, prices, source, output) for stage in stages(setting)), prices)


def stages(setting: VideoEnhance) -> Iterator[str]:
    """Yield the charged stages of a setting."""
    if setting.super_resolution is not None:
        yield f"SuperResolution.{setting.super_resolution.version or 'Base'}"
    if setting.sdr_to_hdr is not None:
        yield "SDRtoHDR"
    if setting.color_enhance is not None:
        yield "ColorEnhance"
    if setting.ms_sharpen is not None:
        yield "MsSharpen"
    if setting.frame_enhance is not None and setting.frame_enhance.frame_doubling is not False:
        yield "FrameEnhance"


def forecast(setting: VideoEnhance, source: MediaInfo) -> Shape:
    """Return the shape of a job's future output.

    Raises `EngineError` with the leaf that does not fit the source, and `ParameterError` if the length of
    the source is unknown.
    """
    length = length_s(setting, source)
    if length is None:
        raise ParameterError.plain("The length of the source is unknown, so the job has no price.")
    size = plan(setting, source).out
    return Shape(size.width, size.height, rates(setting, source)[2], length)


def refuse_over(budget: float | None, costs: Sequence[Price]) -> None:
    """Raise `BudgetExceeded` when the sum of the prices is over the budget or unknown. None means no limit."""
    budget = checked_budget(budget)
    if budget is None or not costs:
        return
    total, prices = sum(one.total for one in costs), costs[0].prices
    currency, count = prices.currency, f"{len(costs)} job{'' if len(costs) == 1 else 's'}"
    unknown = sorted({line.stage for one in costs for line in one.lines if line.rate is None})
    if unknown:
        raise BudgetExceeded(
            f"The {prices.name} price list has no price for {', '.join(unknown)}, so the budget cannot be checked. "
            "Nothing was sent. Leave out the stage or the budget, or use a price list that has the stage."
        )
    if total <= budget:
        return
    raise BudgetExceeded(
        f"{count} would cost {_sum(total)} {currency}, over the budget of {budget:g} {currency}. "
        "Nothing was sent. Try fewer settings, a shorter clip, or a larger budget."
    )


def checked_budget(budget: float | None) -> float | None:
    """Return a budget as a number. Raises `ParameterError` for anything else; a text like "20" is accepted."""
    try:
        number = None if budget is None else float(budget)
    except (TypeError, ValueError):
        number = math.nan
    if number is not None and (math.isnan(number) or isinstance(budget, bool)):
        raise ParameterError.plain(f"The budget {budget!r} is not an amount of money. Use a number, such as budget=20.")
    return number


def _line(stage: str, prices: PriceList, source: Shape, output: Shape) -> PriceLine:
    item = prices.items.get(stage)
    if item is None:
        return PriceLine(stage, output.duration_s / 60, None, f"no price in the {prices.name} list")
    minutes = (source if item.minutes == "input" else output).duration_s / 60
    pixels = output.width * output.height
    step = next((s for s in item.steps if s.pixels is None or pixels <= s.pixels), item.steps[-1])
    is_fast = output.fps > item.fast_from if item.above else output.fps >= item.fast_from
    if len(item.steps) == 1:
        return PriceLine(stage, minutes, step.slow, f"{item.minutes} minutes")
    beyond = " (larger than the list: its last step)" if step.pixels is not None and pixels > step.pixels else ""
    sign = {(False, False): "<", (False, True): "≥", (True, False): "≤", (True, True): ">"}[item.above, is_fast]
    why = (
        f"{item.minutes} minutes at {output.width}×{output.height}{beyond}, {sign} {item.fast_from:g} frames per second"
    )
    return PriceLine(stage, minutes, step.fast if is_fast else step.slow, why)


def _sum(total: float) -> str:
    return f"{total:.2f}" if total >= 0.1 else f"{total:.2g}"


def _money(amount: float | None) -> str:
    return "not listed" if amount is None else f"{amount:.4g}" if amount >= 0.001 or not amount else f"{amount:.2g}"
