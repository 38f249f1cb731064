"""What a blind vote came to: the record of a ranking."""

from __future__ import annotations

from dataclasses import dataclass

import pandas as pd

from ci_notebook.results.voting.ranking_words import page, sentence


@dataclass(frozen=True, kw_only=True)
class Ranking:
    """What a blind vote came to. `level` is what the intervals are to hold of the truth.

    `agreement` and `consistency` are frames: how often each score prefers what was preferred, and how
    often each voter said the same when asked again.
    """

    table: pd.DataFrame
    agreement: pd.DataFrame
    consistency: pd.DataFrame
    votes: int
    voters: tuple[str, ...]
    same: int
    apart: tuple[tuple[str, str], ...]
    level: float = 0.95

    def to_frame(self) -> pd.DataFrame:
        """Return one row a setting, the best first.

        `place` (Int64), `setting` (string), `chosen`, `low`, `high` (Float64, %: how likely it is preferred
        to the others, and the interval), `best` (Float64, %: how often it came first when votes were drawn
        anew), `strength` (Float64: log, mean 0), `votes` (Int64) and `wins` (Float64, ties count half).
        """
        return self.table.copy()

    @property
    def sentence(self) -> str:
        """The result in plain words, with its numbers."""
        return sentence(self)

    def __repr__(self) -> str:
        return f"<Ranking: {self.sentence}>"

    def _repr_html_(self) -> str:
        return page(self)
