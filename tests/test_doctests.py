"""Every example in a docstring runs."""

from __future__ import annotations

import doctest
import importlib
import pkgutil

import pytest

import ci_notebook

MODULES = [name for _, name, _ in pkgutil.walk_packages(ci_notebook.__path__, "ci_notebook.")]


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_run(name: str) -> None:
    outcome = doctest.testmod(importlib.import_module(name), optionflags=doctest.IGNORE_EXCEPTION_DETAIL)
    assert outcome.failed == 0
