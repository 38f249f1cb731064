"""`CompareView`: two to four videos frame by frame, as wipe, side by side, flicker or difference.

Invariants: only the frames that are looked at travel, as images in messages; a newer request replaces an older one;
a comparison can be kept as a plain output of the cell.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Callable, Iterable
from html import escape
from typing import Any, Final

import traitlets

from ci_notebook.model.errors import ParameterError
from ci_notebook.model.html import picture_html
from ci_notebook.model.keywords import checks_keywords
from ci_notebook.widgets.compare.common_timeline import CommonTimeline
from ci_notebook.widgets.compare.sides import MAX_SHOWN, main_score_of, opener_of, sides_of
from ci_notebook.widgets.file_ports import video_files_of
from ci_notebook.widgets.files.take_away import TakeAway
from ci_notebook.widgets.ports import ComparableRuns, CompareLab, FramesPort
from ci_notebook.widgets.shared.base_view import BaseView, error_text, joined
from ci_notebook.widgets.shared.result_output import ResultOutput
from ci_notebook.widgets.shared.workers import NewestWorker, Work

__all__ = ["CompareView"]

_MODES: Final = ("wipe", "side", "flicker", "difference")
_KINDS: Final = ("open", "frames", "loupe", "detail", "scores", "keep", "prefetch")  # in order of priority
_KEY: Final = re.compile(r"(\d+)(?:-(\d+))?")  # a side, or the difference of two
_MAX_WIDTH: Final = 4096
_KEPT_WIDTH: Final = {2: 480, 3: 350, 4: 480}  # px: two or three in a row
_QUALITY: Final = 90


class CompareView(BaseView):
    """Compare two to four videos in step: wipe, side by side, flicker, difference, loupe.

    `CompareView(runs)` shows runs and their source; `CompareView(lab, [clip, job, run, key, Path(...)])` shows
    anything that a lab can open. `at` is the number of the current frame from 0, counted in the video with the
    highest frame rate, within the time that all have in common; `mode` is wipe, side, flicker or difference; `shown`
    lists the numbers of the `sides` that are shown, up to four; `gain` is the amplification of a difference, 1 to 64.
    All four are traits that can be observed, linked and assigned. The view starts at the worst frame if there
    are scores. Raises `ParameterError` for fewer than two videos, and the errors of opening one.
    """

    _esm = joined(
        "shared/dom.js", "shared/mount.js", "shared/wipe.js", "files/take_away.js",
        *(f"compare/{name}.js" for name in ("controls", "scopes", "loop", "stage", "requests", "bars", "view")),
    )  # fmt: skip
    _css = joined("shared/mount.css", "shared/wipe.css", "files/take_away.css", "compare/view.css")

    title = traitlets.Unicode().tag(sync=True)
    sides: traitlets.List[dict[str, Any]] = traitlets.List(help="Name and clip of each side.").tag(sync=True)
    shown: traitlets.List[int] = traitlets.List(help="Numbers of the shown `sides`.").tag(sync=True)
    timeline = traitlets.Dict(help="The common timeline of the shown sides.").tag(sync=True)
    at = traitlets.Int(min=0).tag(sync=True)
    mode = traitlets.Enum(_MODES, "wipe").tag(sync=True)
    gain = traitlets.Int(8, min=1, max=64).tag(sync=True)
    error = traitlets.Unicode().tag(sync=True)
    note = traitlets.Unicode().tag(sync=True)

    @checks_keywords
    def __init__(
        self, first: CompareLab | ComparableRuns, videos: Iterable[Any] | None = None, *, at: int | None = None
    ) -> None:
        self._sides, shown, without_output = sides_of(first, videos)
        self._open_video = opener_of(first)
        self._opened: dict[int, FramesPort] = {}
        self.on_close(self._close_frames)
        self._worker = NewestWorker(*_KINDS, on_idle=self._free_memory)
        self.on_close(self._worker.close)
        self.output = ResultOutput()
        self._take_away = TakeAway(video_files_of(first), self._file_of, self.send)
        self.on_close(self._take_away.close)
        try:
            self._timeline = self._timeline_of(shown)
        except BaseException:
            self._close_frames()
            raise
        runs = "1 run has" if without_output == 1 else f"{without_output} runs have"
        super().__init__(
            title=self._sides[shown[0]].clip,
            sides=[{"name": side.name, "clip": side.clip} for side in self._sides],
            shown=shown,
            timeline=self._described(shown, self._timeline),
            at=min(max(0, at), self._timeline.count - 1) if at is not None else self._worst_frame(),
            note=f"{runs} no output and cannot be shown." if without_output else "",
        )
        self.observe(self._reopen, ["shown"])
        self.on_msg(self._receive)
        self.on_msg(self._take_away.receive)

    @traitlets.validate("shown")
    def _checked_shown(self, proposal: Any) -> list[int]:
        numbers = list(proposal["value"])
        known = set(range(len(self._sides)))
        if not 2 <= len(numbers) <= MAX_SHOWN or len(set(numbers)) < len(numbers) or not set(numbers) <= known:
            raise ParameterError("shown", numbers, f"two to four different numbers from 0 to {len(self._sides) - 1}")
        return numbers

    def keep(self) -> None:
        """Add the current frames to the output below, where they stay without a kernel."""
        self.output.add(self._figure(self._timeline, self.at))

    def close(self) -> None:
        """Close the view, its layout and its files. Kept frames stay."""
        super().close()

    def __repr__(self) -> str:
        names = ", ".join(repr(self._sides[at].name) for at in self.shown)
        return f"CompareView({names}; frame {self.at} (0 to {self._timeline.count - 1}))"

    def _ipython_display_(self) -> None:
        self.display_widget()
        self.keep()
        self.output.show()

    # Open files

    def _timeline_of(self, shown: list[int]) -> CommonTimeline:
        return CommonTimeline.of([(self._sides[place], self._frames(place)) for place in shown])

    def _frames(self, place: int) -> FramesPort:
        if place not in self._opened:
            self._opened[place] = self._open_video(self._sides[place].video)
        return self._opened[place]

    def _reopen(self, _change: object) -> None:
        shown = list(self.shown)

        def work(_is_late: Callable[[], bool]) -> None:
            time_s = self._timeline.time_at(self.at)
            timeline = self._timeline_of(shown)
            for place in [place for place in self._opened if place not in shown]:
                self._opened.pop(place).close()
            at = round((time_s - timeline.begin_s) * timeline.rate)
            with self.hold_sync():
                self._timeline, self.timeline = timeline, self._described(shown, timeline)
                self.at = min(max(0, at), timeline.count - 1)
                self.error = ""

        self._submit("open", work)

    def _file_of(self, item: str) -> tuple[Any, str]:
        """Return the video of a side and its file name, by the parameters in which the sides differ."""
        place = int(item)
        if not 0 <= place < len(self._sides):
            raise KeyError(item)
        return self._sides[place].video, self._take_away.names([side.video for side in self._sides])[place]

    def _free_memory(self) -> None:
        # An unused view stays in the notebook, and decoded frames are large.
        for frames in self._opened.values():
            frames.rest()

    def _close_frames(self) -> None:
        while self._opened:
            self._opened.popitem()[1].close()

    def _described(self, shown: list[int], timeline: CommonTimeline) -> dict[str, Any]:
        scores = dict.fromkeys(name for side, _ in timeline.sides for name in side.frame_scores)
        main = _main_score(timeline)
        return {
            "shown": shown, "count": timeline.count, "rate": timeline.rate, "begin_s": timeline.begin_s,
            "size": list(timeline.size), "scores": sorted(scores, key=lambda name: (name != main, name)),
            "sides": [
                {"size": list(one.size), "rate": one.rate, "tone": one.tone, "about": side.about}
                for side, one in timeline.sides
            ],
            "files": self._take_away.is_offered,
        }  # fmt: skip

    def _worst_frame(self) -> int:
        """Return the worst frame by the main score; the middle frame without scores."""
        main = _main_score(self._timeline)
        curves = [self._timeline.score_curve(place, main) for place in range(len(self._timeline.sides))]
        worst = [frame for curve in curves if curve for frame in curve["worst"][:1]]
        return min(worst, key=lambda frame: float(frame["value"]))["at"] if worst else self._timeline.count // 2

    # Requests of the page

    def _receive(self, _widget: object, content: dict[str, Any], _buffers: object) -> None:
        kind = content.get("do", "")
        handler = {
            "frames": self._send_frames, "prefetch": self._send_frames, "detail": self._send_frames,
            "loupe": self._send_frames, "scores": self._send_scores, "keep": self._keep,
        }.get(kind)  # fmt: skip
        if handler is not None:
            self._submit(kind, lambda is_late: handler(content, is_late), content)

    def _submit(self, kind: str, work: Work, content: dict[str, Any] | None = None) -> None:
        def safely(is_late: Callable[[], bool]) -> None:
            try:
                work(is_late)
            except Exception as error:  # noqa: BLE001  top of a thread: the error is shown, not lost
                self.error = error_text(error)
                if content is not None:
                    self.send({**_answer(content), "error": self.error})  # so that the page does not wait forever

        self._worker.submit(kind, safely, str((content or {}).get("view", "")))

    def _send_frames(self, content: dict[str, Any], is_late: Callable[[], bool]) -> None:
        """Send frames: those of `keys` at each of `ats`, `width` px wide, or only their `box`."""
        timeline = self._timeline
        frames, buffers = list[dict[str, Any]](), list[bytes]()
        requested = [(int(at), str(key)) for at in content["ats"] for key in content["keys"]]
        if content.get("shown") != self.timeline["shown"]:
            requested = []  # requested before other videos were chosen
        for at, key in requested:
            if content["do"] == "prefetch" and is_late():
                break
            description, data = self._frame(timeline, key, at, content)
            frames.append(description)
            buffers.append(data)
        self.send({**_answer(content), "frames": frames}, buffers)

    def _frame(
        self, timeline: CommonTimeline, key: str, at: int, content: dict[str, Any]
    ) -> tuple[dict[str, Any], bytes]:
        match = _KEY.fullmatch(key)
        places = [int(one) for one in match.groups() if one is not None] if match else []
        if not places or max(places) >= len(timeline.sides):
            raise ParameterError("the key of a frame", key, "the number of a side, or two as 1-0")
        width = min(max(16, int(content.get("width") or _MAX_WIDTH)), _MAX_WIDTH)
        box = tuple(content["box"]) if content.get("box") else None
        number = timeline.number(places[0], at)
        description: dict[str, Any] = {"key": key, "at": at, "number": number}
        frames = timeline.sides[places[0]][1]
        if len(places) == 1:
            kind: Any = "png" if content["do"] == "loupe" else "jpg"
            data = frames.coded(number, kind=kind, quality=_QUALITY, width=width, box=box, shape=timeline.size)
            return description, data
        other = timeline.sides[places[1]][1]
        gain = min(max(1, int(content.get("gain") or self.gain)), 64)
        data, mean, most = frames.difference(
            number, other, timeline.number(places[1], at), gain=gain, width=width, box=box
        )
        return {**description, "mean": mean, "most": most}, data

    def _send_scores(self, content: dict[str, Any], _is_late: Callable[[], bool]) -> None:
        """Send the curve of a score for each shown side, as 32-bit numbers."""
        curves, buffers = list[dict[str, Any]](), list[bytes]()
        for place in range(len(self._timeline.sides)):
            curve = self._timeline.score_curve(place, str(content["score"]))
            if curve:
                values = curve.pop("values")
                curves.append({"place": place, **curve})
                buffers.append(struct.pack(f"<{len(values)}f", *values))
        self.send({**_answer(content), "score": content["score"], "curves": curves}, buffers)

    def _keep(self, content: dict[str, Any], _is_late: Callable[[], bool]) -> None:
        self.output.add(self._figure(self._timeline, min(max(0, int(content["at"])), self._timeline.count - 1)))
        self.send({**_answer(content), "is_kept": True})

    def _figure(self, timeline: CommonTimeline, at: int) -> str:
        """Return the frames of one moment as plain HTML, with names and scores."""
        parts, width, main = list[str](), _KEPT_WIDTH[len(timeline.sides)], _main_score(timeline)
        for place, (side, frames) in enumerate(timeline.sides):
            number = timeline.number(place, at)
            jpeg = frames.coded(number, quality=85, width=width, shape=timeline.size)
            name = next((one for one in (main, *side.frame_scores) if one in side.frame_scores), None)
            value = timeline.score(place, name, at) if name else None
            score = f", {name} {value:.4g}" if value is not None else ""
            parts.append(picture_html(jpeg, "jpeg", f"{side.name}, frame {number}{score}", width_px=width))
        clip = timeline.sides[0][0].clip
        when = f"Frame {at} (0 to {timeline.count - 1}), at {timeline.time_at(at):.2f} s{f' of {clip}' if clip else ''}"
        tones = {frames.tone: None for _, frames in timeline.sides if frames.tone}
        notes = "".join(f". {tone}" for tone in tones)
        return f"<p style='margin:8px 0 4px'>{escape(when + notes)}</p><div>{''.join(parts)}</div>"


def _main_score(timeline: CommonTimeline) -> str:
    return main_score_of(side.frame_scores for side, _ in timeline.sides)


def _answer(content: dict[str, Any]) -> dict[str, Any]:
    return {"reply_to": content.get("request"), "view": content.get("view"), "do": content.get("do")}
