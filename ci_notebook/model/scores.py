"""The scores of picture quality: each is declared once, as a parameter is. `media/scoring/` computes them.

Everything that lists scores reads `SCORES`: columns and their dtypes, axis labels, tables, the order of a
report, verdicts, rankings, the direction of a search, pooling, and the table of the README. The order of
`SCORES` is the order of the columns.

A score compares an output with its source or a true reference (`psnr` to `delta_e`), or describes the
output alone (`sharpness` to `ti`); the latter compare only between outputs of one size.
"""

from __future__ import annotations

import difflib
import math
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from ci_notebook.model.errors import ParameterError

Better = Literal["more", "less", ""]


@dataclass(frozen=True, kw_only=True)
class Scale:
    """How differences of a number are read.

    `better` is empty where neither direction is better. `worth` is the smallest difference worth having, in
    the unit of the number; 0 means that no such difference is known. With `is_share`, differences and
    `worth` are counted in per cent.
    """

    better: Better = ""
    worth: float = 0.0
    is_share: bool = False

    @property
    def sign(self) -> int:
        """Return -1 where less is better, else 1."""
        return -1 if self.better == "less" else 1

    def difference(self, first: float, second: float) -> float:
        """Return how far `second` is from `first`: a difference, or the log of a ratio."""
        if not self.is_share:
            return second - first
        return math.log(second / first) if first > 0 and second > 0 else math.nan

    def displayed(self, difference: float) -> float:
        """Return a difference in the unit it is displayed in: that of the number, or per cent."""
        return 100 * math.expm1(difference) if self.is_share else difference

    @property
    def threshold(self) -> float:
        """The smallest difference worth having, in the unit of `difference`."""
        return math.log1p(self.worth / 100) if self.is_share else self.worth


@dataclass(frozen=True, kw_only=True)
class Score(Scale):
    """The declaration of one score.

    `label` is the name in prose. `low` and `high` bound the values; None is no bound. `per_frame` scores have
    one value per frame, from which `pooled` numbers are made. `minus` names the two scores of which this one
    is the difference. `headline` orders the scores by how much they say about a run, from 1; 0 is never a
    headline. `in_tables` scores are shown in small tables of runs, with so many `decimals`. `source` says
    where the score is defined and where `worth` comes from.
    """

    name: str
    label: str
    help: str
    source: str
    unit: str = ""
    low: float | None = 0.0
    high: float | None = None
    per_frame: bool = False
    minus: tuple[str, str] | None = None
    headline: int = 0
    in_tables: bool = False
    decimals: int = 2

    @property
    def pooled(self) -> Mapping[str, str]:
        """Name → meaning of the numbers that tell how bad the bad frames are; empty without values per frame."""
        if not self.per_frame:
            return {}
        ends = _LOW_ENDS if self.better == "more" else _HIGH_ENDS
        return {f"{self.name}_{end}": meaning for end, meaning in ends.items()}

    @property
    def range(self) -> str:
        """The values that occur, in words: `0 to 100`, `from 0`, or nothing."""
        if self.low is None:
            return ""
        return f"from {self.low:g}" if self.high is None else f"{self.low:g} to {self.high:g}"


_LOW_ENDS: Final = {"hmean": "harmonic mean", "p5": "5th percentile", "worst": "worst frame"}
_HIGH_ENDS: Final = {"p95": "95th percentile", "worst": "worst frame"}

_OWN: Final = "The worth is our own choice."
_VMAF: Final = (
    "Netflix libvmaf, model v0.6.1. Three of four viewers notice 6 points (RealNetworks, quoted in "
    '"Finding the Just Noticeable Difference with Netflix VMAF", streaminglearningcenter.com); the worth is a third.'
)
_VMAF_V1: Final = (
    "Netflix libvmaf, models v1.0.16 (Netflix/vmaf, resource/doc/models_v1.md). The worth is that of VMAF v0.6.1, "
    "whose scale it continues; no study of v1's just noticeable difference is known."
)
_CAMBI: Final = (
    "Netflix libvmaf, feature cambi as in the models v1.0.16 (Netflix/vmaf, resource/doc/cambi.md): about 5 begins to "
    "annoy; the worth is a fifth of that."
)
_HALF_A_DECIBEL: Final = "Half a decibel is the rule of thumb of the video coding groups for a visible gain."

SCORES: Final[tuple[Score, ...]] = (
    Score(
        name="psnr", label="PSNR", unit="dB", high=100.0, better="more", worth=0.5, per_frame=True, headline=5,
        in_tables=True, help="PSNR of the luma.", source=f"FFmpeg's filter psnr. {_HALF_A_DECIBEL}",
    ),
    Score(
        name="ssim", label="SSIM", low=-1.0, high=1.0, better="more", worth=0.005, per_frame=True, headline=6,
        in_tables=True, decimals=4, help="SSIM of the luma; 1 is equal.",
        source=f"Wang et al. 2004, FFmpeg's filter ssim. {_OWN}",
    ),
    Score(
        name="xpsnr", label="XPSNR", unit="dB", high=100.0, better="more", worth=0.5, per_frame=True, headline=4,
        help="XPSNR of the luma: PSNR weighted by how visible an error is.",
        source=f"Helmrich et al. 2020, FFmpeg's filter xpsnr. {_HALF_A_DECIBEL}",
    ),
    Score(
        name="vmaf", label="VMAF", high=100.0, better="more", worth=2.0, per_frame=True, headline=3, in_tables=True,
        help="VMAF, 0 to 100; rewards sharpening.", source=_VMAF,
    ),
    Score(
        name="vmaf_neg", label="VMAF-NEG", high=100.0, better="more", worth=2.0, per_frame=True, headline=2,
        in_tables=True, help="VMAF without enhancement gain, 0 to 100.", source=_VMAF.replace("v0.6.1", "v0.6.1neg"),
    ),
    Score(
        name="vmaf_minus_neg", label="VMAF minus VMAF-NEG", low=None, better="less", worth=2.0,
        minus=("vmaf", "vmaf_neg"), in_tables=True,
        help="The part of VMAF that comes from enhancement gain; large when over-sharpened.", source=_VMAF,
    ),
    Score(
        name="vmaf_v1", label="VMAF v1", high=110.0, better="more", worth=2.0, per_frame=True, headline=1,
        in_tables=True, source=_VMAF_V1,
        help="VMAF of 2026, 0 to 100: sees colour, banding and viewing distance, and limits enhancement gain.",
    ),
    Score(
        name="banding", label="banding", high=17.0, better="less", worth=1.0, per_frame=True,
        help="CAMBI of the output, in the variant inside VMAF v1, capped at 17: visible steps in smooth areas.",
        source=_CAMBI,
    ),
    Score(
        name="flicker", label="flicker", better="less", worth=0.5,
        help="How much areas that do not move in the source change from frame to frame, of 255.",
        source=f"RMS of the changes of small areas, minus the source's and minus noise. {_OWN}",
    ),
    Score(
        name="delta_e", label="ΔE2000", better="less", worth=1.0, per_frame=True,
        help="CIEDE2000 of the colours of small areas: 0 is equal, 1 is just visible.",
        source="CIE 142-2001; its unit was chosen to be just visible.",
    ),
    Score(
        name="sharpness", label="sharpness", worth=10.0, is_share=True, headline=7, in_tables=True, decimals=1,
        help="Variance of the Laplacian of the luma; more fine detail gives more.",
        source=f"Pech-Pacheco et al. 2000. {_OWN}",
    ),
    Score(
        name="contrast", label="contrast", high=0.5, worth=5.0, is_share=True, decimals=3,
        help="RMS of the luma, 0 to 0.5.", source=f"Peli 1990. {_OWN}",
    ),
    Score(
        name="colourfulness", label="colourfulness", worth=5.0, is_share=True,
        help="Hasler and Süsstrunk: 0 grey, 33 moderate, 82 and more highly colourful.",
        source=f"Hasler and Süsstrunk 2003. {_OWN}",
    ),
    Score(
        name="noise", label="noise", better="less", worth=0.5,
        help="Immerkær's sigma, of 255; fine texture counts, too.", source=f"Immerkær 1996. {_OWN}",
    ),
    Score(
        name="blockiness", label="blockiness", better="less", worth=5.0, is_share=True,
        help="How much edges of coding blocks stand out.",
        source=f"Steps across the 8-pixel grid against other steps; 1 is none. {_OWN}",
    ),
    Score(name="si", label="SI", help="Spatial information (ITU-T P.910).", source="ITU-T P.910."),
    Score(name="ti", label="TI", help="Temporal information (ITU-T P.910).", source="ITU-T P.910."),
)  # fmt: skip

SCORE: Final[Mapping[str, Score]] = {score.name: score for score in SCORES}
"""The scores by name."""

HEADLINES: Final = tuple(sorted((score for score in SCORES if score.headline), key=lambda score: score.headline))
"""The scores that a report, a chart or a table may be about, the most informative one first."""

MAIN: Final = "vmaf_neg"
"""The best score that every run has, also with small frames and from older journals."""

COSTS: Final[Mapping[str, Scale]] = {
    "size_bytes": Scale(better="less", worth=5.0, is_share=True),
    "bitrate_kbps": Scale(better="less", worth=5.0, is_share=True),
    "video_bitrate_kbps": Scale(better="less", worth=5.0, is_share=True),
    "cost_cny": Scale(better="less", worth=5.0, is_share=True),
    "took_s": Scale(better="less", worth=10.0, is_share=True),
}
"""How other numbers of a run are read. Their names, units and help are those of the API or of their column."""

_UNKNOWN: Final = Scale()


def scale_of(name: str) -> Scale:
    """Return how a number is read. `vmaf_p5` is read as `vmaf`; of an unknown one neither direction is better.

    >>> scale_of("vmaf_neg_p5").worth
    2.0
    """
    scales: dict[str, Scale] = {**SCORE, **COSTS}
    matches = [known for known in scales if name == known or name.startswith(known + "_")]
    return scales[max(matches, key=len)] if matches else _UNKNOWN


def label_of(name: str) -> str:
    """Return the name of a score in prose; other names stay as they are."""
    return SCORE[name].label if name in SCORE else name


def main_score(names: Collection[str]) -> str:
    """Return the most informative score among `names`; "" without any."""
    return next((score.name for score in HEADLINES if score.name in names), "")


def score_names() -> tuple[str, ...]:
    """Return the names of all declared scores and their pooled numbers, in the order of the columns."""
    return (*SCORE, *(name for score in SCORES for name in score.pooled))


def with_differences(scores: Mapping[str, float]) -> dict[str, float]:
    """Return the scores, with those added that are the difference of two of them."""
    result = dict(scores)
    for score in SCORES:
        if score.minus and all(name in scores for name in score.minus):
            first, second = score.minus
            result.setdefault(score.name, scores[first] - scores[second])
    return result


def suggestion(name: str, known: Iterable[str]) -> str:
    """Return `Did you mean vmaf_neg? ` for a name that resembles known ones, else an empty text."""
    exact = {one.lower(): one for one in known}
    near = difflib.get_close_matches(name.lower(), list(exact), n=2, cutoff=0.75)
    return f"Did you mean {' or '.join(exact[one] for one in near)}? " if near else ""


def check_score(name: str, others: Iterable[str] = ()) -> None:
    """Raise `ParameterError` for a name that is neither a score nor one of `others`."""
    known = (*score_names(), *others)
    if name not in known:
        raise unknown_score(name, others)


def unknown_score(name: str, others: Iterable[str] = ()) -> ParameterError:
    """Return the error for a name that is neither a score nor one of `others`: it suggests and lists names."""
    hint = suggestion(name, (*score_names(), *others))
    listed = ", ".join((*SCORE, *others))
    return ParameterError.plain(f"No score is called {name!r}. {hint}The scores are {listed}.")
