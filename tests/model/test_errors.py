"""The errors of a caller: what they say, and that they survive a copy."""

import copy

from ci_notebook.model.errors import CIError, ParameterError


def test_plain_says_exactly_the_sentence() -> None:
    error = ParameterError.plain("Cannot rank: no vote compares any of A with any of B.")
    assert str(error) == "Cannot rank: no vote compares any of A with any of B."
    assert isinstance(error, CIError) and isinstance(error, ValueError)


def test_a_plain_error_survives_a_copy_and_so_a_pickle() -> None:
    again = copy.copy(ParameterError.plain("The clip is empty."))
    assert str(again) == "The clip is empty." and type(again) is ParameterError
