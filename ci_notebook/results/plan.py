"""The jobs that a sweep on clips would send, with the parameters that differ and the price of each."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape
from typing import Any, Final, overload

import pandas as pd

from ci_notebook.experiment.pricing.quote import Estimate, Quote
from ci_notebook.model.html import Markup, bold, table_html, value_html
from ci_notebook.results.dataframe import differing, setting_columns, to_frame
from ci_notebook.results.labels import count, in_words

_NAMED: Final = 3  # clips in front of a sentence


class Plan(Sequence[Quote]):
    """The jobs of a sweep in the order of sending: clip, setting, price, and whether the journal has the run.

    `held` tells for each job whether it was run before; such jobs are not sent and not paid again. `total` is the
    price of the others, in the currency of the price list. `changes` has for each job sentences about what it changes
    or leaves out that its setting does not say; `note` says whose knowledge that is, where it is not the service's.
    """

    def __init__(
        self, cost: Estimate, held: Sequence[bool], *, changes: Sequence[tuple[str, ...]] = (), note: str = ""
    ) -> None:
        self.cost, self.held, self.note = cost, list(held), note
        self.changes = list(changes) or [()] * len(cost.quotes)

    @property
    def total(self) -> float:
        """The price of the jobs that would be sent, of all stages that the price list has."""
        return sum(quote.price.total for quote, held in zip(self, self.held, strict=True) if not held)

    @property
    def change_lines(self) -> tuple[str, ...]:
        """Each sentence of `changes` once, after the clips or the number of jobs that it is about; then the note."""
        clips = dict.fromkeys(quote.clip for quote in self)
        jobs: dict[str, list[int]] = {}
        for at, sentences in enumerate(self.changes):
            for sentence in sentences:
                jobs.setdefault(sentence, []).append(at)
        lines = [f"{self._about(numbers, len(clips))}{sentence}" for sentence, numbers in jobs.items()]
        return (*lines, self.note) if lines and self.note else tuple(lines)

    def _about(self, numbers: Sequence[int], clips: int) -> str:
        """Return the beginning of a sentence about some of the jobs; empty if it is about all."""
        if len(numbers) == len(self):
            return ""
        named = dict.fromkeys(self[at].clip for at in numbers)
        is_whole = len(numbers) == sum(quote.clip in named for quote in self)
        if is_whole and len(named) <= _NAMED:
            return f"{', '.join(named)}: "
        where = f" of {next(iter(named))}" if len(named) == 1 and clips > 1 else ""
        return f"{len(numbers)} of {count(len(self), 'job')}{where}: "

    def to_frame(self) -> pd.DataFrame:
        """Return one row per job: the parameters that differ, the shape of the output, the charged stages, the price.

        `clip` (string), the setting's leaves that differ (as in `to_frame`, with `auto`), `width` and
        `height` (Int64, px), `fps` (Float64, 1/s), `duration_s` (Float64, s), `charged` (string, the
        stages), `cost` (Float64, in the list's currency), `held` (boolean, in the journal already), `changes` (string,
        what the job changes or leaves out that its setting does not say; missing if nothing).
        """
        settings = to_frame([quote.setting for quote in self])
        varied = [name for name in differing(settings).columns if name in (*setting_columns(), "auto", "template_id")]
        columns: dict[str, Any] = {"clip": pd.array([quote.clip for quote in self], dtype="string")}
        columns |= {name: settings[name] for name in varied}
        columns["width"] = pd.array([quote.output.width for quote in self], dtype="Int64")
        columns["height"] = pd.array([quote.output.height for quote in self], dtype="Int64")
        columns["fps"] = pd.array([float(quote.output.fps) for quote in self], dtype="Float64")
        columns["duration_s"] = pd.array([float(quote.output.duration_s) for quote in self], dtype="Float64")
        columns["charged"] = pd.array([_charged(quote) for quote in self], dtype="string")
        columns["cost"] = pd.array([quote.price.total for quote in self], dtype="Float64")
        columns["held"] = pd.array(self.held, dtype="boolean")
        columns["changes"] = pd.array([" ".join(one) or pd.NA for one in self.changes], dtype="string")
        return pd.DataFrame(columns)

    @overload
    def __getitem__(self, index: int) -> Quote: ...
    @overload
    def __getitem__(self, index: slice) -> Sequence[Quote]: ...
    def __getitem__(self, index: int | slice) -> Quote | Sequence[Quote]:
        return self.cost.quotes[index]

    def __len__(self) -> int:
        return len(self.cost.quotes)

    def __iter__(self) -> Iterator[Quote]:
        return iter(self.cost.quotes)

    def __repr__(self) -> str:
        return f"<Plan of {'; '.join((self._head(), *self.change_lines))}>"

    def __str__(self) -> str:
        """Return the sum, and on further lines what the jobs change or leave out."""
        return "\n- ".join((self._head(), *self.change_lines))

    def _head(self) -> str:
        return f"{count(len(self), 'job')}: {self._summary()}"

    def _summary(self) -> str:
        new, least = self.held.count(False), "" if self.cost.is_complete else "at least "
        price = f"{least}{self.total:.4f} {self.cost.prices.currency}, {self.cost.prices.name} list"
        in_journal = f", {self.held.count(True)} in the journal already" if any(self.held) else ""
        return f"{new} to be sent for {price}{in_journal}"

    def _repr_html_(self) -> str:
        df = self.to_frame()
        settings = [name for name in df.columns if name in setting_columns() or name == "template_id"]
        columns: dict[str, list[str]] = {"clip": [str(one) for one in df["clip"]]}
        # AUTO is known from the whole table, also where every value of a column is AUTO and the column is empty.
        whole = to_frame([quote.setting for quote in self])
        columns |= {name: [value_html(word) for word in in_words(whole, name)] for name in settings}
        columns["output"] = [f"{q.output.width}×{q.output.height}, {q.output.fps:.5g}/s" for q in self]
        columns["charged"] = [_charged(quote) or "nothing" for quote in self]
        currency, prices = self.cost.prices.currency, self.cost.prices
        columns[currency] = [f"{quote.price.total:.4f}" for quote in self]
        if any(self.changes):
            columns["changes"] = [" ".join(one) for one in self.changes]
        columns["journal"] = ["held" if held else "to be sent" for held in self.held]
        return table_html(
            zip(*columns.values(), strict=True), head=list(columns), numeric=[list(columns).index(currency)],
            caption=Markup(
                f"{bold(self._head())} of {escape(prices.date)}; "
                "without storage, requests, traffic and transcoding"
                f"{''.join(f'<br>{escape(line)}' for line in self.change_lines)}"
            ),
        )  # fmt: skip


def _charged(quote: Quote) -> str:
    return ", ".join(line.stage for line in quote.price.lines)
