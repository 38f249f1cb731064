"""What a sweep would cost, job by job, before anything is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from html import escape

from ci_notebook.experiment.pricing.price import MAINLAND, Price, PriceList, Shape, price
from ci_notebook.experiment.pricing.price import forecast as shape_of
from ci_notebook.experiment.settings import Setting, content, shown
from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.html import Markup, bold, table_html, value_html
from ci_notebook.model.setting.enhance import VideoEnhance

Forecast = Callable[[VideoEnhance, MediaInfo], Shape]


@dataclass(frozen=True, slots=True)
class Quote:
    """The price of one job: one setting on one clip, with the shape that its output will have."""

    clip: str
    setting: Setting
    output: Shape
    price: Price


@dataclass(frozen=True, slots=True)
class Estimate:
    """The price of a sweep. Shows what differs between its jobs, the price of each, and the sum."""

    quotes: tuple[Quote, ...]
    prices: PriceList

    @property
    def total(self) -> float:
        """The sum, in the list's currency, of what has a price."""
        return sum(quote.price.total for quote in self.quotes)

    @property
    def is_complete(self) -> bool:
        """False when a stage has no price in the list: then the total is too low."""
        return all(quote.price.is_complete for quote in self.quotes)

    @property
    def stages(self) -> Mapping[str, float]:
        """Stage → its share of the total, the dearest first."""
        found: dict[str, float] = {}
        for quote in self.quotes:
            for line in quote.price.lines:
                found[line.stage] = found.get(line.stage, 0.0) + (line.amount or 0.0)
        return dict(sorted(found.items(), key=lambda item: -item[1]))

    def __repr__(self) -> str:
        least, jobs = "" if self.is_complete else "at least ", len(self.quotes)
        total = f"{least}{self.total:.4f} {self.prices.currency}"
        return f"<Estimate of {total} for {jobs} job{'' if jobs == 1 else 's'}, {self.prices.name} list>"

    def _repr_html_(self) -> str:
        rows = [{"clip": quote.clip, **shown(quote.setting)} for quote in self.quotes]
        paths = [path for path in dict.fromkeys(path for row in rows for path in row)
                 if len(rows) == 1 or any(row.get(path) != rows[0].get(path) for row in rows)]  # fmt: skip
        rows_html = [
            [
                *(value_html(row.get(path)) for path in paths),
                f"{quote.output.width}×{quote.output.height}, {quote.output.fps:.5g}/s",
                ", ".join(line.stage for line in quote.price.lines) or "nothing charged",
                f"{'' if quote.price.is_complete else 'at least '}{quote.price.total:.4f}",
            ]
            for quote, row in zip(self.quotes, rows, strict=True)
        ]
        currency, prices = self.prices.currency, self.prices
        shares = "; ".join(f"{stage} {amount:.4f}" for stage, amount in self.stages.items())
        total = bold(f"{'' if self.is_complete else 'at least '}{self.total:.4f} {currency}")
        rest = (
            f"{f' ({shares})' if shares else ''} · {prices.name} list of {prices.date}, {prices.source}; "
            "without storage, requests, traffic and transcoding"
        )
        return table_html(
            rows_html, head=[*paths, "output", "charged", currency], numeric=[len(paths) + 2],
            caption=Markup(f"{total}{escape(rest)}"),
        )  # fmt: skip


def estimate(
    jobs: Iterable[tuple[str, MediaInfo, Setting]], *, prices: PriceList = MAINLAND, forecast: Forecast | None = None
) -> Estimate:
    """Return what jobs would cost, each given by the name of its clip, the clip's facts, and its setting.

    `forecast` tells the shape of an output, by default as the embedded engine would make it. Raises
    `ParameterError` for a clip that does not say its size, rate and length, and `EngineError` for a
    setting that does not fit its clip.
    """
    quotes = []
    for clip, info, setting in jobs:
        source, asked = Shape.of(info), content(setting)
        if source is None:
            raise ParameterError("the price", clip, "a clip whose size, rate and length are known")
        output = (forecast or shape_of)(asked, info)
        quotes.append(Quote(clip, setting, output, price(asked, source, output, prices=prices)))
    return Estimate(tuple(quotes), prices)
