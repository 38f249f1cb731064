"""Price of the setting in a panel, in words. Own module, because the wording is tested without a panel."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ci_notebook.widgets.shared.workers import DebouncedWorker

__all__ = ["PriceDisplay", "price_in_words"]

# Debounce: the first estimate on the cloud asks the service about the clip.
_DELAY_S: Final = 0.2


class PriceDisplay(DebouncedWorker):
    """Reports the price of the newest setting.

    `estimate` returns an `Estimate` for one setting; `report` receives the dict to show. `is_free` says that jobs
    cost nothing here: then the price is the one that the cloud would charge.
    """

    def __init__(
        self, estimate: Callable[[Any], Any], report: Callable[[dict[str, Any]], object], *, is_free: bool
    ) -> None:
        super().__init__(
            "panel-price", lambda setting: price_in_words(estimate(setting), is_free=is_free),
            lambda _, price: report(price), delay_s=_DELAY_S,
        )  # fmt: skip


def price_in_words(estimate: Any, *, is_free: bool) -> dict[str, Any]:
    """Return a price as the panel shows it: label, sum, one line per stage, and the price list used."""
    (quote,) = estimate.quotes
    price, prices = quote.price, estimate.prices
    least = "" if price.is_complete else "at least "
    lines = [
        {"stage": line.stage, "why": line.why, "amount": "not listed" if line.amount is None else _money(line.amount)}
        for line in price.lines
    ]
    about = "This engine charges nothing" if is_free else "The cloud charges this"
    return {
        "label": "Price on the cloud" if is_free else "Price of this job",
        "text": f"{least}{_money(price.total)} {prices.currency}",
        "lines": lines,
        "about": f"{about}. Price list: {prices.name}, {prices.date}, {prices.source}. "
        "Storage, requests, traffic and transcoding are not included.",
    }


def _money(amount: float) -> str:
    return f"{amount:.2f}" if amount >= 1 or not amount else f"{amount:.4f}" if amount >= 0.001 else f"{amount:.2g}"
