"""Defaults of the limits of open pages. Alone in a module, because the help of the verb needs no Voila."""

from typing import Final

# Each open page has a kernel: a process of about 150 MB.
MOST_PAGES: Final = 4
# The page was closed, or its browser has ended.
CLOSED_S: Final = 60.0
# The page is open, and no message came or went.
IDLE_MINUTES: Final = 120.0
