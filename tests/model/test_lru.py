"""What a long-lived object remembers is of bounded size."""

from __future__ import annotations

import threading
from collections import OrderedDict

from hypothesis import given
from hypothesis import strategies as st

from ci_notebook.model.lru import LRU


@given(st.integers(1, 5), st.lists(st.tuples(st.sampled_from(["get", "put", "make", "pop"]), st.integers(0, 8))))
def test_it_holds_the_most_recently_used_entries_and_no_more(limit, steps):
    lru, model = LRU[int, int](limit), OrderedDict[int, int]()
    for number, (what, key) in enumerate(steps):
        if what == "pop":
            assert lru.pop(key) == model.pop(key, None)
        elif what == "get":
            assert lru.get(key) == model.get(key)
        elif what == "put":
            lru.put(key, number)
            model[key] = number
        else:
            assert lru.get_or_make(key, lambda number=number: number) == model.setdefault(key, number)
        if key in model:
            model.move_to_end(key)
        while len(model) > limit:
            model.popitem(last=False)
        assert len(lru) == len(model) <= limit
        assert all((one in lru) == (one in model) for one in range(9))


def test_an_error_is_not_remembered():
    lru = LRU[str, int](2)
    try:
        lru.get_or_make("a", lambda: 1 // 0)
    except ZeroDivisionError:
        assert lru.get_or_make("a", lambda: 7) == 7
    assert (lru.get("b"), "b" in lru) == (None, False)


def test_threads_keep_the_bound():
    lru = LRU[int, int](10)

    def fill(start: int) -> None:
        for number in range(start, start + 2000):
            lru.put(number, number)
            lru.get(number - 5)

    threads = [threading.Thread(target=fill, args=(start,)) for start in (0, 1000, 5000)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(lru) == 10
