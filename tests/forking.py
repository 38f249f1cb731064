"""Lives that may be ended at any moment: each is a process of its own, forked, whose end can be told from a kill."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable


def born(life: Callable[[], None]) -> int:
    """Begin a life in a process of its own and return its id. It exits with 0, or with 1 and a traceback."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            life()
            code = 0
        except BaseException:
            traceback.print_exc()  # nothing else would tell: _exit leaves without a word
            raise
        finally:
            os._exit(code)
    return child
