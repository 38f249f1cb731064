"""Lists that the service returns page by page, and replies that must contain a node.

Invariant: every list ends, also if a service answers the same page for ever, goes back, or states a wrong total.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from typing import TypeVar

from ci_notebook.model.errors import ServiceError

T = TypeVar("T")

PAGE_SIZE = 100


def pages(page: Callable[[int], tuple[Iterable[T], int | None]], identity: Callable[[T], Hashable]) -> Iterator[T]:
    """Yield the items of all numbered pages, until the service's total is reached or a page has nothing new.

    `identity` tells one item from others.
    """
    number = count = 0
    known: set[int] = set()
    while True:
        number += 1
        items, total = page(number)
        is_new = False
        for one in items:
            count += 1
            is_new = _add(known, identity(one)) or is_new
            yield one
        # A reader keeps a total that is no number.
        if not is_new or not isinstance(total, int) or count >= total:
            return


def follow(page: Callable[[str], tuple[Iterable[T], str]], identity: Callable[[T], Hashable]) -> Iterator[T]:
    """Yield the items of pages that each name the next one; `page("")` is the first, and "" follows the last.

    It ends, too, where a page repeats the name of an earlier one, and where a page has nothing new by `identity`.
    """
    token = ""
    tokens, known = {token}, set[int]()
    while True:
        items, token = page(token)
        is_new = False
        for one in items:
            is_new = _add(known, identity(one)) or is_new
            yield one
        if not is_new or token in tokens:
            return
        tokens.add(token)


def endless(what: str) -> ServiceError:
    """Return the error for a list in which the service does not get further."""
    text = f"The service's list of {what} goes back or repeats itself, so it cannot be read to its end."
    return ServiceError("InternalError", text, status=200)


def required(node: T | None) -> T:
    """Return the node of a reply. Raises `ServiceError` when the reply lacks it."""
    if node is None:
        raise ServiceError("InternalError", "The reply of the service lacks the expected content.", status=200)
    return node


def _add(known: set[int], item: Hashable) -> bool:
    """Add the hash of an item, which needs less memory; return whether it is new."""
    before = len(known)
    known.add(hash(item))
    return len(known) > before
