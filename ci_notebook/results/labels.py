"""Columns of settings in words, the same in charts, tables and verdicts, and which parameters vary.

The words come from `model.setting.words`: `left out`, `AUTO`, `5`, `sdtohd`.
"""

from __future__ import annotations

from typing import Any

import pandas as pd

from ci_notebook.model.setting.words import AUTO_WORD as AUTO
from ci_notebook.model.setting.words import LEFT_OUT, NAMED_LEAVES, NO_CHANGE, leaves_in_words, short_name, word_of
from ci_notebook.results.dataframe import differing, setting_columns

__all__ = [
    "AUTO",
    "LEFT_OUT",
    "all_words",
    "count",
    "in_words",
    "listed",
    "number",
    "order_of",
    "setting_labels",
    "short_name",
    "varying",
    "word_of",
]


def in_words(df: pd.DataFrame, name: str) -> pd.Series[Any]:
    """Return a column in words; a missing value is `left out` or `AUTO`."""
    paths = df["auto"] if "auto" in df.columns else [""] * len(df)
    auto = [not pd.isna(listed) and name in str(listed).split("; ") for listed in paths]
    words = [
        (AUTO if is_auto else LEFT_OUT) if pd.isna(value) else word_of(value)
        for value, is_auto in zip(df[name], auto, strict=True)
    ]
    return pd.Series(words, index=df.index, dtype="string")


def order_of(df: pd.DataFrame, name: str, words: pd.Series[Any]) -> pd.Series[Any]:
    """Return the rank of each word: left out, AUTO, then the values in the order of numbers, choices or texts."""
    return words.map({word: number for number, word in enumerate(all_words(df, name))})


def all_words(df: pd.DataFrame, name: str) -> list[str]:
    """Return the words that occur or may occur in a column, in order."""
    values = df[name].dropna()
    ordered = list(values.cat.categories) if isinstance(values.dtype, pd.CategoricalDtype) else sorted(values.unique())
    return [LEFT_OUT, AUTO, *map(word_of, ordered)]


def number(value: float, digits: int = 3) -> str:
    """Return a number rounded to `digits` significant digits.

    >>> number(80.96), number(0.012345), number(-1234567.0)
    ('81', '0.0123', '-1.23e+06')
    """
    text = f"{value:.{digits}g}"
    return f"{float(text):g}" if abs(value) < 1e6 else f"{float(text):.{digits}g}"


def count(how_many: int, noun: str) -> str:
    """Return `1 clip`, `2 clips`."""
    return f"{how_many} {noun}{'' if how_many == 1 else 's'}"


def listed(words: list[str]) -> str:
    """Return `a`, `a and b`, `a, b and c`."""
    return words[0] if len(words) == 1 else ", ".join(words[:-1]) + " and " + words[-1] if words else ""


def varying(df: pd.DataFrame) -> list[str]:
    """Return the setting columns in which the rows differ; AUTO differs from left out."""
    names = [name for name in setting_columns() if name in df.columns]
    auto = (
        {path for listed in df["auto"].dropna() for path in str(listed).split("; ")} if "auto" in df.columns else set()
    )
    differ = set(differing(df[names]).columns) if len(df) > 1 else set()
    return [name for name in names if name in differ or (name in auto and in_words(df, name).nunique() > 1)]


def set_columns(df: pd.DataFrame) -> list[str]:
    """Return the setting columns that any row sets, also to AUTO."""
    auto = {path for listed in df["auto"].dropna() for path in str(listed).split("; ")} if "auto" in df else set()
    return [name for name in setting_columns() if name in df and (name in auto or df[name].notna().any())]


def setting_labels(df: pd.DataFrame) -> pd.Series[Any]:
    """Return the setting of each row in words, by the parameters that vary: `SharpenLevel 6, Resolution left out`.

    Where none varies, the first few that are set name them all; an empty setting is `no change`.
    """
    names = varying(df) or set_columns(df)[:NAMED_LEAVES]
    if not names:
        return pd.Series([NO_CHANGE] * len(df), index=df.index, dtype="string")
    columns = [in_words(df, name) for name in names]
    labels = [leaves_in_words(dict(zip(names, words, strict=True))) for words in zip(*columns, strict=True)]
    return pd.Series(labels, index=df.index, dtype="string")
