"""Lists that the service returns page by page, and replies that must contain a node."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

from ci_notebook.model.errors import ServiceError

T = TypeVar("T")

PAGE_SIZE = 100


def pages(page: Callable[[int], tuple[Iterable[T], int | None]]) -> Iterator[T]:
    """Yield the items of all pages, until a page is empty or the service's total is reached."""
    number = count = 0
    while True:
        number += 1
        items, total = page(number)
        before = count
        for one in items:
            count += 1
            yield one
        if count == before or not isinstance(total, int) or count >= total:  # a reader keeps a total that is no number
            return


def required(node: T | None) -> T:
    """Return the node of a reply. Raises `ServiceError` when the reply lacks it."""
    if node is None:
        raise ServiceError("InternalError", "The reply of the service lacks the expected content.", status=200)
    return node
