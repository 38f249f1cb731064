"""Refuse a misspelt keyword of a public call with our own error, which names the nearest keyword.

Invariant: the signature of the call stays visible to completers, `inspect.signature` and type checkers.
"""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, cast

from ci_notebook.model.errors import ParameterError

__all__ = ["checks_keywords"]

F = TypeVar("F", bound=Callable[..., Any])
_NAMED = (inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY)


def checks_keywords(function: F) -> F:
    """Decorate a function so that an unknown keyword raises `ParameterError` instead of `TypeError`.

    >>> @checks_keywords
    ... def submit(clip, *, watermark=()): ...
    >>> submit("a", watermrk=1)
    Traceback (most recent call last):
    ...
    ci_notebook.model.errors.ParameterError: submit() has no keyword 'watermrk'. Did you mean 'watermark'?
    """
    parameters = [one for one in inspect.signature(function).parameters.values() if one.kind in _NAMED]
    known = frozenset(one.name for one in parameters)
    keywords = [one.name for one in parameters if one.kind is inspect.Parameter.KEYWORD_ONLY]

    @functools.wraps(function)
    def wrapper(*args: Any, **kwargs: Any) -> Any:
        if not known.issuperset(kwargs):
            raise _unknown_keyword(function, next(name for name in kwargs if name not in known), keywords)
        return function(*args, **kwargs)

    return cast(F, wrapper)


def _unknown_keyword(function: Callable[..., Any], name: str, keywords: list[str]) -> ParameterError:
    call = function.__qualname__.removesuffix(".__init__").rpartition(".")[2]
    nearest = difflib.get_close_matches(name, keywords, n=1, cutoff=0.6)
    remedy = f"Did you mean {nearest[0]!r}?" if nearest else f"Its keywords are {', '.join(keywords)}."
    return ParameterError.plain(f"{call}() has no keyword {name!r}. {remedy}")
