"""The exercises of the tutorials with one judge each, and `check`, which judges an answer.

    ci.check("trap.levels", (10, 0), df)

Invariant: a judge computes the right answer from the reader's own runs, which the cell passes as evidence.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Sequence
from typing import Any, Final

import pandas as pd

from ci_notebook.course.feedback import (
    Exercise,
    Exercises,
    Feedback,
    Judge,
    State,
    WrongKind,
    chosen,
    feedback,
    measured,
    number,
)
from ci_notebook.model.errors import ParameterError

EXERCISES: Final[Exercises] = {}


def check(name: str, answer: object = ..., /, *evidence: Any) -> Feedback:
    """Return feedback on the answer to an exercise; without an answer, or with `...`, its question.

    `evidence` is what the cell of the exercise passes: runs, a DataFrame, a job. For an answer of the wrong type,
    the feedback says which type is expected. Each further try gets the next hint. Raises `ParameterError` for an
    unknown exercise.

    >>> check("ab.jobs", 15, ["five", "clips", "are", "listed", "here"], ["three", "settings", "here"])
    Right. 5 clips and 3 settings make 15 jobs.
    """
    if name not in EXERCISES:
        nearest = difflib.get_close_matches(str(name), EXERCISES, n=1)
        hint = f"Did you mean {nearest[0]!r}? " if nearest else ""
        raise ParameterError.plain(
            f"There is no exercise {name!r}. {hint}The exercises are {', '.join(sorted(EXERCISES))}."
        )
    return feedback(name, EXERCISES[name], answer, evidence)


def _exercise(name: str, question: str, *hints: str) -> Callable[[Judge], Judge]:
    def register(judge: Judge) -> Judge:
        EXERCISES[name] = Exercise(question, hints, judge)
        return judge

    return register


@_exercise(
    "knobs.noise",
    "Which knob raised the noise meter most, though nobody asked for noise?",
    "The last table has a column `noise`: which row has the largest number in it?",
    "`df['noise'].idxmax()` is the index of that row; its setting is the parameter that is not 0.",
)
def _noise(answer: object, df: pd.DataFrame) -> tuple[State, str]:
    knobs = {path.rpartition(".")[2]: path for path in df.columns if path.startswith(("ColorEnhance.", "MsSharpen."))}
    loudest = df.iloc[int(df["noise"].astype(float).argmax())]
    truth = next(tag for tag, path in knobs.items() if pd.notna(loudest[path]) and loudest[path] != 0)
    rise = 100 * (float(loudest["noise"]) / float(df["noise"].iloc[0]) - 1)
    return chosen(answer, truth, why=f"{truth} raised it by {rise:.0f} %.", among=list(knobs))


@_exercise(
    "superres.gain",
    "By how many points of VMAF-NEG is Enhance better than Base here?",
    "The column is `vmaf_neg`, with one row per version.",
    'Subtract: `df["vmaf_neg"].iloc[1] - df["vmaf_neg"].iloc[0]`, Enhance minus Base.',
)
def _gain(answer: object, df: pd.DataFrame) -> tuple[State, str]:
    by = df.set_index(df["SuperResolution.Version"].astype(str))["vmaf_neg"].astype(float)
    return measured(answer, by["Enhance"] - by["Base"], within=0.3, unit="points")


@_exercise(
    "trap.levels",
    "Which SharpenLevel would VMAF choose, and which VMAF-NEG? Answer (level, level).",
    "In the table, look for the largest number of the column `vmaf`, then of `vmaf_neg`; the row's label is the level.",
    "`idxmax()` of a column gives the label of its largest number.",
)
def _levels(answer: object, df: pd.DataFrame) -> tuple[State, str]:
    if not isinstance(answer, Sequence) or isinstance(answer, str) or len(answer) != 2:
        raise WrongKind(f"The answer must be two levels, as in (4, 8) (got {answer!r}).")
    means = df.groupby("MsSharpen.SharpenLevel")[["vmaf", "vmaf_neg"]].mean().astype(float)
    best = (means["vmaf"].idxmax(), means["vmaf_neg"].idxmax())
    right = [number(one) == truth for one, truth in zip(answer, best, strict=True)]
    if all(right):
        comparison = (
            "They differ by that much." if best[0] != best[1] else "Here they agree; on other clips they differ."
        )
        return "right", f"VMAF would choose {best[0]}, VMAF-NEG {best[1]}. {comparison}"
    if any(right):
        return "near", f"The {'first' if right[0] else 'second'} is right, the other is not."
    return "wrong", "Neither of the two is."


@_exercise(
    "colour.best",
    "Which of the five values of Correction comes nearest to the true colours?",
    "Nearest means the smallest `delta_e`.",
    '`df.loc[df["delta_e"].idxmin(), "ColorEnhance.Correction"]`',
)
def _colour(answer: object, df: pd.DataFrame) -> tuple[State, str]:
    row = df.iloc[int(df["delta_e"].astype(float).argmin())]
    truth = float(row["ColorEnhance.Correction"])
    if number(answer) == truth:
        return "right", f"At {truth:g} the mean difference from the true colours is {float(row['delta_e']):.1f}."
    at = df[df["ColorEnhance.Correction"] == number(answer)]["delta_e"]
    if at.empty:
        return "wrong", f"{number(answer):g} was not tried."
    return "wrong", f"There the mean difference is {float(at.iloc[0]):.1f}; one of the five values is closer."


@_exercise(
    "hdr.transfer",
    "Which color_transfer does the HDR10 file declare?",
    "See the table of media facts, in the row whose HdrMode is HDR10.",
)
def _transfer(answer: object, df: pd.DataFrame) -> tuple[State, str]:
    truth = df.loc[df["SDRtoHDR.HdrMode"].astype(str) == "HDR10", "color_transfer"].iloc[0]
    if str(answer).strip().casefold() in ("pq", "st 2084", "smpte st 2084"):
        return "right", f"That is its common name; the file calls it {truth}."
    return chosen(answer, truth, why=f"{truth}, the curve that is also called PQ.")


@_exercise(
    "motion.gain",
    "By how many dB of PSNR is interpolating better than repeating on the raccoon clip?",
    'Keep the rows of that clip: `df[df["clip"].str.contains("raccoon")]`.',
    "With FrameDoubling minus without, in that order.",
)
def _motion(answer: object, df: pd.DataFrame) -> tuple[State, str]:
    rows = df[df["clip"].str.contains("raccoon")]
    doubled = rows["FrameEnhance.FrameDoubling"].fillna(False).astype(bool)
    truth = float(rows.loc[doubled, "psnr"].iloc[0]) - float(rows.loc[~doubled, "psnr"].iloc[0])
    return measured(answer, truth, within=0.3, unit="dB")


@_exercise(
    "ab.jobs",
    "How many jobs will this send, once the budget allows?",
    "Every setting runs on every clip.",
    "`len(clips) * len(design)`",
)
def _jobs(answer: object, clips: Sequence[Any], design: Sequence[Any]) -> tuple[State, str]:
    truth = len(clips) * len(design)
    if number(answer) == truth:
        return "right", f"{len(clips)} clips and {len(design)} settings make {truth} jobs."
    if number(answer) in (len(clips), len(design)):
        return "near", "That is one of the two factors."
    return "wrong", f"It is not {number(answer):g}."


@_exercise(
    "ab.sure",
    'Does the interval leave room for "no difference"? Answer True or False.',
    "No difference is 0. Is 0 between the two ends of the interval?",
)
def _sure(answer: object, verdict: Any) -> tuple[State, str]:
    if not isinstance(answer, bool):
        raise WrongKind(f"The answer must be True or False (got {answer!r}).")
    if verdict.low is None:
        return "wrong", f"There is no interval: {verdict.why or 'the difference is known'}"
    has_room = not verdict.low > 0 and not verdict.high < 0
    span = f"The interval goes from {verdict.low:.2f} to {verdict.high:.2f}"
    if answer == has_room:
        return "right", f"{span}, and 0 is {'inside' if has_room else 'outside'}."
    return "wrong", f"{span}."


@_exercise(
    "marks.none",
    "What does hidden_text say of a clip that carries nothing?",
    "`lab.extract_digital_watermark(clip).wait().hidden_text`",
)
def _none(answer: object, lab: Any, clip: Any) -> tuple[State, str]:
    truth = lab.extract_digital_watermark(clip).wait().hidden_text
    if (answer or "") == (truth or ""):
        return "right", "No text is read where none was hidden: a checksum rejects guesses."
    return "wrong", f"The engine does not read {answer!r} there."


@_exercise(
    "cloud.sent",
    "After the reply was lost, how many jobs does the service have for that submission?",
    "`len(sent)`",
)
def _sent(answer: object, sent: Sequence[Any]) -> tuple[State, str]:
    if number(answer) == len(sent):
        return "right", f"{len(sent)}: the job was found, not sent again."
    return "wrong", f"The list `sent` holds {len(sent)}, not {number(answer):g}."
