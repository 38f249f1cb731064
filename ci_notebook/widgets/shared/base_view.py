"""Base class of all views: how a view is shown and closed.

Invariant: `close` works on a view whose constructor raised, because it runs only the actions registered so far.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import anywidget
from IPython.display import display

from ci_notebook.model.errors import CIError
from ci_notebook.widgets.shared.result_output import ResultOutput

__all__ = ["MAX_TOKENS", "BaseView", "error_text", "joined"]

# How many clicks a view remembers. A message that arrives twice arrives within seconds.
MAX_TOKENS: Final = 256


_WIDGETS = Path(__file__).parent.parent


def joined(*names: str) -> str:
    """Return the text of some files below `widgets/`, one after the other, without comment lines of JavaScript."""
    lines = (line for name in names for line in (_WIDGETS / name).read_text("utf-8").splitlines(keepends=True))
    return "".join(line for line in lines if not line.lstrip().startswith("//"))


def error_text(error: Exception) -> str:
    """Return an error as a sentence. Errors that are not ours start with their class name."""
    return str(error) if isinstance(error, CIError) else f"{type(error).__name__}: {error}"


class BaseView(anywidget.AnyWidget):
    """A widget that shows itself with its bundle and closes its resources, also when it was only half built."""

    output: ResultOutput
    """Results of the view, which stay in the notebook."""

    @property
    def trace(self) -> ResultOutput:
        """Deprecated name of `output`."""
        warnings.warn(f"{type(self).__name__}.trace is deprecated: use output.", DeprecationWarning, stacklevel=2)
        return self.output

    def on_close(self, action: Callable[[], object]) -> None:
        """Call `action` when the view is closed. The last registered action is called first."""
        self.__dict__.setdefault("_close_actions", []).append(action)

    def close(self) -> None:
        """Close the view and its layout, and run the registered actions. Closing twice is fine."""
        actions: list[Callable[[], object]] = self.__dict__.get("_close_actions", [])
        while actions:
            actions.pop()()
        if self.comm is not None:
            self.layout.close()
        super().close()

    def display_widget(self) -> None:
        """Show the widget itself as an output of the cell; nothing after it was closed."""
        bundle: Any = self._repr_mimebundle_() if self.comm is not None else None
        if bundle is not None:
            display(bundle[0], metadata=bundle[1], raw=True)  # type: ignore[no-untyped-call]
