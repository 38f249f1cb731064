"""Base class of all views: how a view is shown and closed.

Invariant: `close` works on a view whose constructor raised, because it runs only the actions registered so far.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import anywidget
import traitlets
from IPython.display import display

from ci_notebook.model.errors import CIError, ParameterError
from ci_notebook.widgets.shared.result_output import ResultOutput

__all__ = ["MAX_TOKENS", "BaseView", "ViewValue", "error_text", "joined"]

G = TypeVar("G")
S = TypeVar("S")

# How many clicks a view remembers. A message that arrives twice arrives within seconds.
MAX_TOKENS: Final = 256


_WIDGETS = Path(__file__).parent.parent


def joined(*names: str) -> str:
    """Return the text of some files below `widgets/`, one after the other, without indentation and `//` lines."""
    lines = (line for name in names for line in (_WIDGETS / name).read_text("utf-8").splitlines(keepends=True))
    return "".join(line.lstrip(" ") for line in lines if not line.lstrip().startswith("//"))


def error_text(error: Exception) -> str:
    """Return an error as a sentence. Errors that are not ours start with their class name."""
    return str(error) if isinstance(error, CIError) else f"{type(error).__name__}: {error}"


class ViewValue(traitlets.TraitType[G, S]):
    """A trait for what a view is about. Assigning it is an action of the view, which then publishes the outcome.

    `take(view, value)` runs the action: it raises `ParameterError` for a value that the view does not accept, or sets
    the other traits and then calls `publish`. So an observer finds that all traits agree. `read(view, json)` returns
    the value that a page has sent, `write(value)` its JSON. `refuse(view, error)` tells the page why it was refused.
    """

    def __init__(
        self, take: Callable[[Any, Any], object], *, read: Callable[[Any, Any], Any], write: Callable[[Any], Any],
        refuse: Callable[[Any, ParameterError], object], help: str,
    ) -> None:  # fmt: skip
        super().__init__(help=help)
        self._take, self._read, self._refuse = take, read, refuse
        self.tag(sync=True, to_json=lambda value, _view: write(value), from_json=lambda value, _view: _FromPage(value))

    def set(self, obj: Any, value: Any) -> None:
        """Let the view take a value, from Python or from the page."""
        if not isinstance(value, _FromPage):
            self._take(obj, value)
            return
        try:
            self._take(obj, self._read(obj, value.json))
        except ParameterError as error:
            self._refuse(obj, error)
            obj.send_state(self.name)  # the page has the refused value

    def publish(self, view: Any, value: Any) -> None:
        """Store a value and notify the observers."""
        super().set(view, value)


class _FromPage(NamedTuple):
    json: Any


class BaseView(anywidget.AnyWidget):
    """A widget that shows itself with its bundle and closes its resources, also when it was only half built.

    A view that is shown alone leaves its results as an output of the cell. Inside another widget it shows them itself:
    its page then sets `is_inside`, and `results` follows `output`.
    """

    output: ResultOutput
    """Results of the view, which stay in the notebook."""

    is_inside = traitlets.Bool(help="Whether a page shows the view inside another widget.").tag(sync=True)
    results = traitlets.Unicode(help="HTML of the results, for a view inside another widget.").tag(sync=True)

    @property
    def trace(self) -> ResultOutput:
        """Deprecated name of `output`."""
        warnings.warn(f"{type(self).__name__}.trace is deprecated: use output.", DeprecationWarning, stacklevel=2)
        return self.output

    def set_state(self, sync_data: Mapping[str, Any]) -> None:
        """Take over what the page has changed, and answer in one message."""
        with self.hold_sync():
            super().set_state(sync_data)

    @traitlets.observe("is_inside")
    def _follow_output(self, _change: object) -> None:
        if self.is_inside:
            self.output.follow(self._show_results)

    def _show_results(self, html: str) -> None:
        if self.comm is not None:
            self.results = html

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
