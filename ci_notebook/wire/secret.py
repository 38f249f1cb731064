"""`Secret`: text that is used to sign and is never shown."""

from __future__ import annotations

import hmac
from collections.abc import Callable
from typing import NoReturn, Self

__all__ = ["Secret", "reveal"]


class Secret:
    """A key or a token. It is not a `str`, so nothing that takes text takes its content by accident.

    A repr, a format and a log record show `Secret(…)`. `json.dumps`, `+`, `join` and pickles refuse it with a
    `TypeError`. `vars` finds nothing. Only `reveal` returns the content. Equal secrets are equal; a text is never.

    >>> f"{Secret('example')}"
    'Secret(…)'
    """

    __slots__ = ("_content",)

    _content: Callable[[], str]

    def __init__(self, text: str) -> None:
        # In a closure: a debugger or an inspector that lists the attributes of an object shows a function.
        object.__setattr__(self, "_content", lambda: text)

    def reveal(self) -> str:
        """Return the content, for the code that signs or sends it."""
        return self._content()

    def __repr__(self) -> str:
        return "Secret(…)"

    __str__ = __repr__

    def __format__(self, spec: str) -> str:
        return repr(self)

    def __bool__(self) -> bool:
        return bool(self.reveal())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Secret):
            return NotImplemented
        return hmac.compare_digest(self.reveal().encode(), other.reveal().encode())

    def __hash__(self) -> int:
        return hash((Secret, self.reveal()))

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise AttributeError("A secret cannot be changed.")

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("A secret cannot be pickled. Call find_credentials() where it is needed.")

    def __getstate__(self) -> NoReturn:
        raise TypeError("A secret cannot be pickled. Call find_credentials() where it is needed.")

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, memo: object) -> Self:
        return self


def reveal(value: str | Secret) -> str:
    """Return the content of a secret, and a text as it is."""
    return value.reveal() if isinstance(value, Secret) else value
