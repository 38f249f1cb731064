"""What varies between runs, and each setting in words."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import pandas as pd

from ci_notebook.results.dataframe import differing, setting_columns
from ci_notebook.results.labels import in_words


def varying(df: pd.DataFrame) -> list[str]:
    """Return the setting columns in which the rows differ; AUTO differs from left out."""
    names = [name for name in setting_columns() if name in df.columns]
    auto = (
        {path for listed in df["auto"].dropna() for path in str(listed).split("; ")} if "auto" in df.columns else set()
    )
    differ = set(differing(df[names]).columns) if len(df) > 1 else set()
    return [name for name in names if name in differ or (name in auto and in_words(df, name).nunique() > 1)]


def short(name: str, among: Iterable[str] = ()) -> str:
    """Return the last part of a path; the last two where others end in the same."""
    last = name.rpartition(".")[2]
    return ".".join(name.split(".")[-2:]) if sum(other.endswith("." + last) for other in among) > 1 else last


def setting_labels(df: pd.DataFrame) -> pd.Series[Any]:
    """Return each row's setting in words: what varies alone, `SharpenLevel 6, Resolution left out`."""
    names = varying(df)
    if not names:
        return pd.Series(["the setting"] * len(df), index=df.index, dtype="string")
    columns = [in_words(df, name) for name in names]
    heads = [short(name, names) for name in names]
    told = [
        ", ".join(f"{head} {word}" for head, word in zip(heads, words, strict=True))
        for words in zip(*columns, strict=True)
    ]
    return pd.Series(told, index=df.index, dtype="string")
