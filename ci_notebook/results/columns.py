"""The columns of the table of runs: names, order, dtypes, units, help, and where their values come from.

The columns follow from the declarations: those of settings and job facts from the nodes, those of scores from
`model.scores`. Only the short names of job facts, and the few columns that nothing declares, are listed here.
"""

from __future__ import annotations

import functools
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.declaration.node import Node, Part, part_by_tag, parts
from ci_notebook.model.scores import SCORES
from ci_notebook.model.setting.enhance import VideoEnhance

Kind = Literal["text", "whole", "number", "truth", "time", "choice"]

DTYPES: Final[dict[Kind, str]] = {
    "text": "string", "whole": "Int64", "number": "Float64", "truth": "boolean",
    "time": "datetime64[us, UTC]", "choice": "category",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Column:
    """One column. `path` are the tags from `JobsDetail` down to its text; empty when it comes from elsewhere.

    `part` is the declaration of that leaf. A `hidden` column is read only to compute another one.
    """

    name: str
    kind: Kind
    help: str
    unit: str = ""
    path: tuple[str, ...] = ()
    part: Part | None = None
    choices: tuple[str, ...] = ()
    hidden: bool = False

    @property
    def dtype(self) -> str:
        """The pandas dtype; a `category` is ordered as the declaration lists its choices."""
        return DTYPES[self.kind]


# Short name, path below JobsDetail. The first one of repeated nodes is read.
_JOB = (
    ("job_id", "JobId"), ("state", "State"), ("progress", "Progress"), ("code", "Code"), ("message", "Message"),
    ("created", "CreationTime"), ("started", "StartTime"), ("ended", "EndTime"),
    ("tag", "Tag"), ("queue_id", "QueueId"),
    ("bucket", "Input.BucketId"), ("region", "Input.Region"), ("input_key", "Input.Object"),
    ("template_id", "Operation.TemplateId"), ("template_name", "Operation.TemplateName"),
    ("transcode_template_id", "Operation.TranscodeTemplateId"), ("job_level", "Operation.JobLevel"),
    ("user_data", "Operation.UserData"),
)  # fmt: skip
_RESULT = "Operation.MediaResult.OutputFile"
_FORMAT = "Operation.MediaInfo.Format"
_VIDEO = "Operation.MediaInfo.Stream.Video"
_AUDIO = "Operation.MediaInfo.Stream.Audio"
_OUTPUT = (
    ("output_prefix", f"{_RESULT}.ObjectPrefix"), ("output_key", f"{_RESULT}.ObjectName"),
    ("output_md5", f"{_RESULT}.Md5Info.Md5"), ("format", f"{_FORMAT}.FormatName"),
    ("duration_s", f"{_FORMAT}.Duration"), ("size_bytes", f"{_FORMAT}.Size"), ("bitrate_kbps", f"{_FORMAT}.Bitrate"),
    ("width", f"{_VIDEO}.Width"), ("height", f"{_VIDEO}.Height"), ("fps", f"{_VIDEO}.Fps"),
    ("pictures", f"{_VIDEO}.NumFrames"), ("codec", f"{_VIDEO}.CodecName"), ("profile", f"{_VIDEO}.Profile"),
    ("pix_format", f"{_VIDEO}.PixFormat"), ("color_primaries", f"{_VIDEO}.ColorPrimaries"),
    ("color_transfer", f"{_VIDEO}.ColorTransfer"), ("color_range", f"{_VIDEO}.ColorRange"),
    ("rotation", f"{_VIDEO}.Rotation"), ("video_bitrate_kbps", f"{_VIDEO}.Bitrate"),
    ("audio_codec", f"{_AUDIO}.CodecName"), ("audio_rate_hz", f"{_AUDIO}.SampleRate"),
    ("audio_channels", f"{_AUDIO}.Channel"), ("audio_bitrate_kbps", f"{_AUDIO}.Bitrate"),
)  # fmt: skip

RUN: Final = (
    Column("run", "text", "The run's key, shortened: one clip, one setting, one service."),
    Column("clip", "text", "Label of the clip: its name, made longer where two clips of the table share it."),
    Column("clip_md5", "text", "MD5 of the clip's content; missing if unknown."),
)
NOTES: Final = (
    Column(
        "auto",
        "text",
        "Paths that are left to the service: AUTO, missing in a stage that is on, or a whole bare stage.",
    ),
    Column("unlisted", "text", "path=text of received values outside their declaration, and of contradicting times."),
)
TIMES: Final = (Column("took_s", "number", "From start to end of the job.", "s"),)
SCORE_COLUMNS: Final = tuple(Column(score.name, "number", score.help, score.unit) for score in SCORES)
# How bad the bad frames are: `vmaf_p5`.
POOLED: Final = tuple(
    Column(name, "number", f"{score.label}: {meaning}.", score.unit)
    for score in SCORES
    for name, meaning in score.pooled.items()
)
AGAINST: Final = (
    Column(
        "score_against",
        "text",
        "Scores compare with the `source` (measuring change) or a `reference` (fidelity).",
    ),
    Column("vmaf_v1_model", "text", "Model of VMAF v1; only scores of one model can be compared."),
    Column("screen", "text", "Screen that VMAF v1 was computed for: tv, tv_3h or phone."),
    Column("score_note", "text", "Why a score is missing, or what it cannot measure."),
    Column("score_every", "whole", "Distance of the scored frames: 1 is all of them."),
)
SCORED_WITH: Final = tuple(column.name for column in AGAINST[1:4])
ALIGNMENT: Final = (
    Column("align_offset_frames", "whole", "Frames of the source skipped at the start; negative: of the output."),
    Column("align_offset_s", "number", "The same as a time.", "s"),
    Column("align_start_s", "number", "Where in the source the compared stretch begins.", "s"),
    Column("align_fps", "number", "Common frame rate: the lower one of the two videos.", "1/s"),
    Column("align_width", "whole", "Width of the compared frames.", "px"),
    Column("align_height", "whole", "Height of the compared frames.", "px"),
    Column("align_scale_x", "number", "Width of the compared frames over the width of the used part of the source."),
    Column("align_scale_y", "number", "The same for the height."),
    Column("align_rotation", "whole", "How far the source was turned clockwise.", "°"),
    Column("align_source_crop", "text", "Used part of the source: left, top, width, height as shares of 1."),
    Column("align_output_crop", "text", "Used part of the output: left, top, width, height as shares of 1."),
)
ENDS: Final = (
    Column(
        "cost_cny", "number", "Price by the list; on the embedded engine, what the cloud would have charged.", "CNY"
    ),
    Column("error", "text", "Error outside the job: while sending, fetching or scoring."),
)


@functools.cache
def columns() -> tuple[Column, ...]:
    """Return every column in order, hidden ones included."""
    job = [_fact(name, path) for name, path in _JOB]
    output = [_fact(name, path) for name, path in _OUTPUT]
    return (*RUN, *job, *settings(), *NOTES, *output, *TIMES, *AGAINST, *ALIGNMENT, *SCORE_COLUMNS, *POOLED, *ENDS)


@functools.cache
def settings() -> tuple[Column, ...]:
    """Return the setting columns, in the order of the wire; leaves of repeated nodes are numbered."""
    return tuple(_settings(VideoEnhance, (), ()))


@functools.cache
def by_name() -> dict[str, Column]:
    """Return the columns by name."""
    return {column.name: column for column in columns()}


def _settings(node: type[Node], shown: tuple[str, ...], path: tuple[str, ...]) -> Iterator[Column]:
    for part in parts(node):
        # The declaration limits how many there may be, so the columns are the same for every table.
        numbers = range(1, (part.param.at_most or 1) + 1) if part.many else (0,)
        for number in numbers:
            names = (*shown, part.tag, str(number)) if part.many else (*shown, part.tag)
            steps = (*path, f"{part.tag}#{number}") if part.many else (*path, part.tag)
            if part.node is not None:
                yield from _settings(part.node, names, steps)
            else:
                yield _column(".".join(names), ("Operation", "VideoEnhance", *steps), part)


def _fact(name: str, dotted: str) -> Column:
    node: type[Node] = JobsDetail
    tags = dotted.split(".")
    for tag in tags[:-1]:
        node = typing.cast("type[Node]", part_by_tag(node)[tag].node)
    column = _column(name, tuple(tags), part_by_tag(node)[tags[-1]])
    if name in ("created", "started", "ended"):
        return Column(name, "time", column.help, "", column.path, column.part)
    return Column(**{**_as_dict(column), "hidden": name == "output_prefix"})


def _as_dict(column: Column) -> dict[str, typing.Any]:
    return {name: getattr(column, name) for name in Column.__slots__}


def _column(name: str, path: tuple[str, ...], part: Part) -> Column:
    words = tuple(choice for choice in part.choices if isinstance(choice, str))
    kinds: dict[type | None, Kind] = {int: "whole", float: "number", bool: "truth", str: "text", None: "whole"}
    kind = "choice" if part.kind is None and words else kinds[part.kind]
    return Column(name, kind, part.param.help, part.param.unit, path, part, words if kind == "choice" else ())
