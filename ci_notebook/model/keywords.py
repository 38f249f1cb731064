"""Check of keyword arguments: an unknown keyword raises our own error with "did you mean"."""

from __future__ import annotations

import difflib
import functools
import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from ci_notebook.model.errors import ParameterError

P = ParamSpec("P")
T = TypeVar("T")

_BY_NAME = (inspect.Parameter.KEYWORD_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)


def checked_keywords(function: Callable[P, T]) -> Callable[P, T]:
    """Decorate a function so that an unknown keyword raises `ParameterError` instead of `TypeError`.

    The signature stays, so completion and type checkers see every keyword.
    """
    parameters = inspect.signature(function).parameters.values()
    names = [one.name for one in parameters if one.kind in _BY_NAME and one.name != "self"]

    @functools.wraps(function)
    def call(*args: P.args, **kwargs: P.kwargs) -> T:
        for name in kwargs:
            if name not in names:
                raise unknown_keyword(function.__name__, name, names)
        return function(*args, **kwargs)

    return call


def unknown_keyword(function: str, name: str, names: list[str]) -> ParameterError:
    """Return the error for a keyword that a function does not have."""
    near = difflib.get_close_matches(name, names, n=2, cutoff=0.5)
    hint = f"Did you mean {' or '.join(near)}?" if near else f"It takes {', '.join(names)}."
    return ParameterError.plain(f"{function}() has no keyword {name!r}. {hint}")
