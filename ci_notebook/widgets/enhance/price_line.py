"""What the setting in a panel would cost, in words."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from ci_notebook.widgets.shared.latest import Latest

# A price follows the hand once it rests: on the cloud the first one asks the service about the clip.
_REST_S: Final = 0.2


class Pricing(Latest):
    """Tells the price of the last setting that was given.

    `estimate` returns an `Estimate` for one setting, `tell` gets what to show. `is_free` says that the
    jobs cost nothing here, so that the price is what the cloud would have charged.
    """

    def __init__(
        self, estimate: Callable[[Any], Any], tell: Callable[[dict[str, Any]], object], *, is_free: bool
    ) -> None:
        super().__init__(
            "panel-price", lambda setting: price_shown(estimate(setting), is_free=is_free),
            lambda _, told: tell(told), rest_s=_REST_S,
        )  # fmt: skip


def price_shown(estimate: Any, *, is_free: bool) -> dict[str, Any]:
    """Return a price as the panel shows it: the sum, its lines, and by which list."""
    (quote,) = estimate.quotes
    price, prices = quote.price, estimate.prices
    least = "" if price.is_complete else "at least "
    lines = [
        {"stage": line.stage, "why": line.why, "amount": "not listed" if line.amount is None else _money(line.amount)}
        for line in price.lines
    ]
    about = "Nothing is charged here" if is_free else "To be charged by the cloud"
    return {
        "label": "The cloud would have charged" if is_free else "Price of this job",
        "text": f"{least}{_money(price.total)} {prices.currency}",
        "lines": lines,
        "about": f"{about}. By the {prices.name} list of {prices.date}, {prices.source}; "
        "without storage, requests, traffic and transcoding.",
    }


def _money(amount: float) -> str:
    return f"{amount:.2f}" if amount >= 1 or not amount else f"{amount:.4f}" if amount >= 0.001 else f"{amount:.2g}"
