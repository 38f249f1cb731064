"""`CompareView`: two to four videos picture by picture, laid on each other, beside each other or subtracted.

The rules of this file: only what is looked at travels, as pictures in messages; what is newer takes
the place of what is older; what was seen can be kept as a plain output.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable
from html import escape
from typing import Any, Final

import anywidget
import traitlets
from IPython.display import display

from ci_notebook.model.errors import CIError, ParameterError
from ci_notebook.model.html import picture_html
from ci_notebook.model.scores import MAIN
from ci_notebook.widgets.compare.common_timeline import Line
from ci_notebook.widgets.compare.sides import MOST, Opens, Pictures, opener_of, sides_of
from ci_notebook.widgets.shared.assets import joined
from ci_notebook.widgets.shared.newest_worker import Work, Worker
from ci_notebook.widgets.shared.output import Trace

_MODES: Final = ("wipe", "side", "flicker", "difference")
_KINDS: Final = ("open", "look", "loupe", "detail", "trace", "keep", "ahead")
_PAIR: Final = re.compile(r"(\d+)(?:-(\d+))?")  # a side, or the difference of two
_WIDEST: Final = 4096
_KEPT_WIDE: Final = {2: 480, 3: 350, 4: 480}  # px: two or three to a line
_QUALITY: Final = 90
_MAIN: Final = MAIN


class CompareView(anywidget.AnyWidget):
    """Look at two to four videos in step: wipe, side by side, flicker, difference, loupe.

    `CompareView(runs)` shows runs with their source, `CompareView(lab, [clip, job, run, key, Path(...)])`
    whatever a lab can open. `at` is the picture that is shown, counted in the fastest video within the
    time that all have in common; `mode` one of wipe, side, flicker and difference; `shown` which of
    `sides` are looked at, up to four; `gain` how many times a difference is amplified. All four may be
    set. It begins at the worst picture where there are scores. Raises `ParameterError` for less than two
    videos, and what opening one raises.
    """

    _esm = joined(
        "shared/dom.js", "shared/wipe.js",
        *(f"compare/{name}.js" for name in ("controls", "scopes", "loop", "stage", "requests", "bars", "view")),
    )  # fmt: skip
    _css = joined("shared/wipe.css", "compare/view.css")

    title = traitlets.Unicode().tag(sync=True)
    sides: traitlets.List[dict[str, Any]] = traitlets.List(help="Name and clip of all.").tag(sync=True)
    shown: traitlets.List[int] = traitlets.List(help="Places in `sides`.").tag(sync=True)
    line = traitlets.Dict(help="What those have in common that are shown.").tag(sync=True)
    at = traitlets.Int(min=0).tag(sync=True)
    mode = traitlets.Enum(_MODES, "wipe").tag(sync=True)
    gain = traitlets.Int(8, min=1, max=64).tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)

    def __init__(self, first: Opens, videos: Iterable[Any] | None = None, *, at: int | None = None) -> None:
        self._open = opener_of(first)
        self._sides, shown, lost = sides_of(first, videos)
        self._opened: dict[int, Pictures] = {}
        self._worker = Worker(*_KINDS, idle=self._rest)
        self.trace = Trace()
        try:
            self._line = self._line_of(shown)
        except BaseException:
            self._forget()
            raise
        runs = f"{lost} run{'' if lost == 1 else 's'}"
        super().__init__(
            title=self._sides[shown[0]].clip,
            sides=[{"name": side.name, "clip": side.clip} for side in self._sides],
            shown=shown,
            line=self._told(shown, self._line),
            at=min(max(0, at), self._line.count - 1) if at is not None else self._first_look(),
            note=f"{runs} made nothing and {'is' if lost == 1 else 'are'} left out." if lost else "",
        )
        self.observe(self._reopen, ["shown"])
        self.on_msg(self._take)

    @traitlets.validate("shown")
    def _checked_shown(self, proposal: Any) -> list[int]:
        wanted = list(proposal["value"])
        known = set(range(len(self._sides)))
        if not 2 <= len(wanted) <= MOST or len(set(wanted)) < len(wanted) or not set(wanted) <= known:
            raise ParameterError("shown", wanted, f"two to four different places from 0 to {len(self._sides) - 1}")
        return wanted

    def keep(self) -> None:
        """Add the pictures that are shown to the output below, where they stay without a kernel."""
        self.trace.add(self._figure(self._line, self.at))

    def close(self) -> None:
        """Close the view, its layout and its files. What was kept stays."""
        if self.comm is not None:
            self.layout.close()
        super().close()
        self._worker.close()
        self._forget()

    def __repr__(self) -> str:
        names = ", ".join(repr(self._sides[at].name) for at in self.shown)
        return f"CompareView({names}; picture {self.at} of {self._line.count})"

    def _ipython_display_(self) -> None:
        bundle = self._repr_mimebundle_() if self.comm is not None else None
        if bundle is not None:
            display(bundle[0], metadata=bundle[1], raw=True)  # type: ignore[no-untyped-call]
        self.keep()
        self.trace.show()

    # What is open -----------------------------------------------------------------------------------------------

    def _line_of(self, shown: list[int]) -> Line:
        return Line.of([(self._sides[place], self._pictures(place)) for place in shown])

    def _pictures(self, place: int) -> Pictures:
        if place not in self._opened:
            self._opened[place] = self._open(self._sides[place].video)
        return self._opened[place]

    def _reopen(self, _change: object) -> None:
        shown = list(self.shown)

        def work(_is_late: Callable[[], bool]) -> None:
            time_s = self._line.time_at(self.at)
            line = self._line_of(shown)
            for place in [place for place in self._opened if place not in shown]:
                self._opened.pop(place).close()
            at = round((time_s - line.begin_s) * line.rate)
            with self.hold_sync():
                self._line, self.line = line, self._told(shown, line)
                self.at = min(max(0, at), line.count - 1)
                self.error = ""

        self._ask("open", work)

    def _rest(self) -> None:
        # A view that nobody looks at any more stays in the notebook, and pictures are large.
        for pictures in self._opened.values():
            pictures.rest()

    def _forget(self) -> None:
        while self._opened:
            self._opened.popitem()[1].close()

    def _told(self, shown: list[int], line: Line) -> dict[str, Any]:
        scores = dict.fromkeys(name for side, _ in line.sides for name in side.pictures)
        return {
            "shown": shown, "count": line.count, "rate": line.rate, "begin_s": line.begin_s, "size": list(line.size),
            "scores": sorted(scores, key=lambda name: (name != _MAIN, name)),
            "sides": [{"size": list(one.size), "rate": one.rate, "tone": one.tone} for _, one in line.sides],
        }  # fmt: skip

    def _first_look(self) -> int:
        """Return the worst picture by the main score, the middle one without any."""
        traces = [self._line.trace(place, _MAIN) for place in range(len(self._line.sides))]
        worst = [one for trace in traces if trace for one in trace["worst"][:1]]
        return min(worst, key=lambda one: float(one["value"]))["at"] if worst else self._line.count // 2

    # What is asked ----------------------------------------------------------------------------------------------

    def _take(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        kind = content.get("do", "")
        does = {
            "look": self._look, "ahead": self._look, "detail": self._look, "loupe": self._look,
            "trace": self._traces, "keep": self._keep,
        }.get(kind)  # fmt: skip
        if does is not None:
            self._ask(kind, lambda is_late: does(content, is_late), content)

    def _ask(self, kind: str, work: Work, content: dict[str, Any] | None = None) -> None:
        def safely(is_late: Callable[[], bool]) -> None:
            try:
                work(is_late)
            except Exception as error:  # noqa: BLE001  the top of a worker: whatever went wrong is shown, not lost
                self.error = str(error) if isinstance(error, CIError) else f"{type(error).__name__}: {error}"
                if content is not None:
                    self.send({**_answer(content), "error": self.error})  # whoever asked waits for no answer

        self._worker.ask(kind, safely, str((content or {}).get("view", "")))

    def _look(self, content: dict[str, Any], is_late: Callable[[], bool]) -> None:
        """Send pictures: those of `keys` at each of `ats`, `width` px wide, or of them the `box`."""
        line = self._line
        pictures, buffers = list[dict[str, Any]](), list[bytes]()
        wanted = [(int(at), str(key)) for at in content["ats"] for key in content["keys"]]
        if content.get("shown") != self.line["shown"]:
            wanted = []  # asked before other videos were chosen
        for at, key in wanted:
            if content["do"] == "ahead" and is_late():
                break
            told, data = self._picture(line, key, at, content)
            pictures.append(told)
            buffers.append(data)
        self.send({**_answer(content), "pictures": pictures}, buffers)

    def _picture(self, line: Line, key: str, at: int, content: dict[str, Any]) -> tuple[dict[str, Any], bytes]:
        match = _PAIR.fullmatch(key)
        places = [int(one) for one in match.groups() if one is not None] if match else []
        if not places or max(places) >= len(line.sides):
            raise ParameterError("a picture", key, "a side, or two as 1-0")
        width = min(max(16, int(content.get("width") or _WIDEST)), _WIDEST)
        box = tuple(content["box"]) if content.get("box") else None
        number = line.number(places[0], at)
        told: dict[str, Any] = {"key": key, "at": at, "number": number}
        pictures = line.sides[places[0]][1]
        if len(places) == 1:
            kind: Any = "png" if content["do"] == "loupe" else "jpg"
            data = pictures.coded(number, kind=kind, quality=_QUALITY, width=width, box=box, shape=line.size)
            return told, data
        other = line.sides[places[1]][1]
        gain = min(max(1, int(content.get("gain") or self.gain)), 64)
        data, mean, most = pictures.difference(
            number, other, line.number(places[1], at), gain=gain, width=width, box=box
        )
        return {**told, "mean": mean, "most": most}, data

    def _traces(self, content: dict[str, Any], _is_late: Callable[[], bool]) -> None:
        """Send a score of all that are shown, each as 32-bit numbers."""
        traces, buffers = list[dict[str, Any]](), list[bytes]()
        for place in range(len(self._line.sides)):
            trace = self._line.trace(place, str(content["on"]))
            if trace:
                values = trace.pop("values")
                traces.append({"place": place, **trace})
                buffers.append(struct.pack(f"<{len(values)}f", *values))
        self.send({**_answer(content), "on": content["on"], "traces": traces}, buffers)

    def _keep(self, content: dict[str, Any], _is_late: Callable[[], bool]) -> None:
        self.trace.add(self._figure(self._line, min(max(0, int(content["at"])), self._line.count - 1)))
        self.send({**_answer(content), "kept": True})

    def _figure(self, line: Line, at: int) -> str:
        """Return the pictures of one moment as plain HTML, and how far the second is from the first."""
        parts, wide = list[str](), _KEPT_WIDE[len(line.sides)]
        for place, (side, pictures) in enumerate(line.sides):
            number = line.number(place, at)
            jpeg = pictures.coded(number, quality=85, width=wide, shape=line.size)
            score = next(
                ((on, line.score(place, on, at)) for on in (_MAIN, *side.pictures) if on in side.pictures), None
            )
            scored = f", {score[0]} {score[1]:.4g}" if score and score[1] is not None else ""
            parts.append(picture_html(jpeg, "jpeg", f"{side.name}, picture {number}{scored}", width_px=wide))
        clip = line.sides[0][0].clip
        when = f"Picture {at} of {line.count}, at {line.time_at(at):.2f} s{f' of {clip}' if clip else ''}"
        tones = {pictures.tone: None for _, pictures in line.sides if pictures.tone}
        more = "".join(f". {tone}" for tone in tones)
        return f"<p style='margin:8px 0 4px'>{escape(when + more)}</p><div>{''.join(parts)}</div>"


def _answer(content: dict[str, Any]) -> dict[str, Any]:
    return {"re": content.get("ask"), "view": content.get("view"), "do": content.get("do")}
