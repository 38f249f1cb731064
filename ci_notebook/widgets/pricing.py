"""What the setting in a panel would cost, asked for beside the panel and never more often than it can be told."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from ci_notebook.widgets.saying import said

# A price follows the hand once it rests: on the cloud the first one asks the service about the clip.
PAUSE_S: Final = 0.2


class Pricing:
    """Tells the price of the last setting that was given, from a thread of its own.

    `estimate` returns an `Estimate` for one setting, `tell` gets what to show. `is_free` says that the
    jobs cost nothing here, so that the price is what the cloud would have charged.
    """

    def __init__(
        self, estimate: Callable[[Any], Any], tell: Callable[[dict[str, Any]], object], *, is_free: bool
    ) -> None:
        self._estimate, self._tell, self._is_free = estimate, tell, is_free
        self._lock = threading.Lock()
        self._wanted: list[Any] = []
        self._thread: threading.Thread | None = None
        self._hurry = threading.Event()

    def ask(self, setting: Any) -> None:
        """Tell the price of this setting soon; what was asked before and is not told yet is forgotten."""
        with self._lock:
            self._wanted = [setting]
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="panel-price", daemon=True)
                self._thread.start()

    def wait(self, timeout_s: float | None = None) -> bool:
        """Wait until the last price is told; return False if that took too long."""
        thread = self._thread
        if thread is not None:
            self._hurry.set()
            thread.join(timeout_s)
        return self._thread is None

    def close(self) -> None:
        """Tell nothing any more."""
        with self._lock:
            self._wanted = []
            self._hurry.set()

    def _run(self) -> None:
        while True:
            self._hurry.wait(PAUSE_S)
            with self._lock:
                if not self._wanted:
                    self._thread = None
                    self._hurry.clear()
                    return
                setting = self._wanted.pop()
            try:
                told = price_shown(self._estimate(setting), is_free=self._is_free)
            except Exception as error:  # noqa: BLE001  the top of a worker: the panel says it
                told = {"error": said(error)}
            self._tell(told)


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
