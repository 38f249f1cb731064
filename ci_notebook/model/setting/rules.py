"""Rules across nodes: allowed combinations, required combinations, and precedence.

`problems(request)` lists everything that is wrong with a tree, first per leaf, then per rule;
`check` raises the first problem. Panel, client and engine all use these rules: the panel shows the
list, the client checks before it sends, and the engine checks what it receives.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from typing import TypeVar

from ci_notebook.model.api.jobs import STAGE_TAGS, Operation, Request
from ci_notebook.model.api.templates import TemplateRequest
from ci_notebook.model.declaration.node import Node, Part, cached_per_class, parts
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance, VideoProcess
from ci_notebook.model.setting.transcode import Audio, Transcode
from ci_notebook.model.setting.watermark import Watermark

N = TypeVar("N", bound=Node)
Problems = Iterator[ParameterError]


def check(node: N) -> N:
    """Return `node` if it has no problem, else raise the first `ParameterError`."""
    for problem in problems(node):
        raise problem
    return node


def problems(node: Node, path: str = "") -> list[ParameterError]:
    """Return everything that is wrong with a tree of nodes. Empty when it can be sent."""
    errors: list[ParameterError] = []
    _leaf_problems(node, path, errors)
    _rule_problems(_comparable(node) if errors else node, path, errors)
    return errors


def in_force(operation: Operation) -> Operation:
    """Return the operation without the nodes that another node overrides.

    TemplateId overrides an inline VideoEnhance, and WatermarkTemplateId overrides inline Watermark
    (see the API page "Submit a video enhancement job"). In the older kinds of jobs, TemplateId overrides the
    stage and TranscodeTemplateId overrides Transcode.
    """
    changes: dict[str, object] = {}
    if operation.template_id:
        changes |= dict.fromkeys(("video_enhance", *STAGE_TAGS.values()))
    if operation.transcode_template_id:
        changes["transcode"] = None
    if operation.watermark_template_id:
        changes["watermark"] = ()
    return dataclasses.replace(operation, **changes) if changes else operation  # type: ignore[arg-type]


def _leaf_problems(node: Node, path: str, errors: list[ParameterError]) -> None:
    state = node.__dict__
    for part in parts(type(node)):
        value, param = state[part.name], part.param
        if value is None or (part.many and not value):
            if param.required:
                errors.append(_missing(part, _join(path, part.tag)))
        elif param.reply:
            where = _join(path, part.tag)
            errors.append(ParameterError(where, value, "left out, because only the service sends it"))
        elif part.node is not None and (not part.many or not part.complaint(value)):
            where = f"{path}.{part.tag}" if path else part.tag
            for number, child in enumerate(value if part.many else (value,), 1):
                _leaf_problems(child, f"{where}.{number}" if part.many else where, errors)
        elif refusal := part.complaint(value):
            errors.append(ParameterError(_join(path, part.tag), value, refusal, param.remedy))
    if node.unknown:
        known = {part.tag for part in parts(type(node))}
        for one in node.unknown:
            if one.tag in known:
                where = _join(path, one.tag)
                errors.append(ParameterError(where, one.text or one.children, "a single value without child nodes"))


def _comparable(node: N) -> N:
    """Return the node without the values that are of another type than declared: rules compare, and would fail.

    A reader keeps such values (`StartTime` "soon"); each has its own problem already.
    """
    state = dict(node.__dict__)
    for part in parts(type(node)):
        values = state[part.name] if part.many else (state[part.name],)
        if part.node is not None:
            kept = tuple(_comparable(one) for one in values if isinstance(one, Node))
        else:
            kept = tuple(one for one in values if part.is_of_type(one))
        state[part.name] = kept if part.many else kept[0] if kept else None
    result = type(node).__new__(type(node))
    object.__setattr__(result, "__dict__", state)
    return result


def _missing(part: Part, path: str) -> ParameterError:
    if part.node is None:
        return ParameterError(path, None, part.allowed())
    inside = [child.tag for child in parts(part.node) if child.param.required]
    remedy = f"Set {' and '.join(f'{path}.{tag}' for tag in inside)}." if inside and not part.many else ""
    return ParameterError(path, None, f"a node with {' and '.join(inside)}" if inside else "a node", remedy)


@cached_per_class
def _children(cls: type[Node]) -> tuple[Part, ...]:
    return tuple(part for part in parts(cls) if part.node is not None)


def _rule_problems(node: Node, path: str, errors: list[ParameterError]) -> None:
    for rule in RULES.get(type(node), ()):
        errors.extend(rule(node, path))
    state = node.__dict__
    for part in _children(type(node)):
        value = state[part.name]
        if value is None or value == ():
            continue
        for number, child in enumerate(value if part.many else (value,), 1):
            if isinstance(child, Node):
                where = _join(path, f"{part.tag}.{number}" if part.many else part.tag)
                _rule_problems(child, where, errors)


def _join(path: str, tag: str) -> str:
    return f"{path}.{tag}" if path else tag


def _request(request: Request, path: str) -> Problems:
    operation = request.operation or Operation()
    where = _join(path, "Operation")
    if request.tag == "VideoEnhance" and not operation.template_id and operation.video_enhance is None:
        yield ParameterError(
            where, operation, "a node with TemplateId or VideoEnhance", "Add VideoEnhance, or name a template."
        )
    if request.tag in STAGE_TAGS:
        yield from _stage(str(request.tag), operation, where)
    if request.tag in ("VideoEnhance", *STAGE_TAGS) and operation.output is None:
        yield ParameterError(
            _join(where, "Output"), None, "a node with Region, Bucket and Object", "Say where to store the result."
        )
    if request.tag is not None:
        yield from _other_kinds(request.tag, operation, where)
    if request.tag == "DigitalWatermark" and operation.digital_watermark is None:
        yield ParameterError(_join(where, "DigitalWatermark"), None, "a node with Message, Type and Version")
    if request.tag == "ExtractDigitalWatermark" and operation.extract_digital_watermark is None:
        yield ParameterError(_join(where, "ExtractDigitalWatermark"), None, "a node with Type and Version")
    if request.call_back_type == "TDMQ" and request.call_back_mq_config is None:
        yield ParameterError(
            _join(path, "CallBackMqConfig"),
            None,
            "a node with MqRegion, MqMode and MqName",
            "CallBackType TDMQ needs it.",
        )
    if request.queue_type is not None:
        yield ParameterError(
            _join(path, "QueueType"), request.queue_type, "left out", "It is only for jobs with Tag Transcode."
        )


def _stage(tag: str, operation: Operation, where: str) -> Problems:
    """Rules of the older kinds of jobs: the stage or its template, and an encoding or its template."""
    has_templates = tag != "SDRtoHDR"
    if operation.template_id and not has_templates:
        yield ParameterError(
            _join(where, "TemplateId"), operation.template_id, f"left out, because {tag} has no templates",
            f"Set {_join(where, tag)}.",
        )  # fmt: skip
    if getattr(operation, STAGE_TAGS[tag]) is None and not operation.template_id:
        allowed = f"a node with TemplateId or {tag}" if has_templates else f"a node with {tag}"
        yield ParameterError(where, operation, allowed, f"Add {tag}, or name a template." if has_templates else "")
    process = operation.video_process
    if tag == "VideoProcess" and process is not None and not operation.template_id and not _is_any_on(process):
        remedy = "Set Enable to true in ColorEnhance or MsSharpen."
        yield ParameterError(_join(where, tag), process, "a node with a stage that is switched on", remedy)
    if operation.transcode is None and not operation.transcode_template_id:
        yield ParameterError(
            where, operation, "a node with Transcode or TranscodeTemplateId", f"Tag {tag} needs an encoding."
        )


def _is_any_on(process: VideoProcess) -> bool:
    return any(stage is not None and stage.enable is True for stage in (process.color_enhance, process.ms_sharpen))


def _other_kinds(tag: str, operation: Operation, where: str) -> Problems:
    """Refuse the nodes of other kinds of jobs: they would be ignored without a word."""
    own = {STAGE_TAGS[tag], "transcode"} if tag in STAGE_TAGS else {"video_enhance"}
    for part in parts(Operation):
        if part.name in own or part.name not in _SETTING_PARTS or getattr(operation, part.name) is None:
            continue
        if tag in STAGE_TAGS:
            remedy = "Use Tag VideoEnhance for several stages in one job."
        elif part.name in STAGE_TAGS.values():
            remedy = f"Use Tag {part.tag}, or put it into VideoEnhance."
        else:
            remedy = f"Put it into VideoEnhance, or use Tag {', '.join(STAGE_TAGS)}."
        yield ParameterError(_join(where, part.tag), getattr(operation, part.name), f"left out with Tag {tag}", remedy)


_SETTING_PARTS = ("video_enhance", *STAGE_TAGS.values(), "transcode")


def _transcode(transcode: Transcode, path: str) -> Problems:
    container = transcode.container.format if transcode.container else None
    video, audio = transcode.video, transcode.audio
    if container in FORMATS:
        videos, audios = FORMATS[container]
        if video and video.codec and not video.remove and video.codec not in videos:
            yield _not_in(path, "Video.Codec", video.codec, videos, container)
        if audio and audio.codec and not audio.remove and audio.codec not in audios:
            yield _not_in(path, "Audio.Codec", audio.codec, audios, container)
    if video:
        for leaf, codecs in ONLY_FOR.items():
            value = getattr(video, leaf.lower())
            codec = video.codec or ("VP8" if container == "WebM" else "H.264")
            if value is not None and codec not in codecs:
                yield ParameterError(
                    _join(path, f"Video.{leaf}"),
                    value,
                    f"left out with Codec {codec}",
                    f"It works with {', '.join(codecs)}.",
                    fix={_join(path, f"Video.{leaf}"): None},
                )
        yield from _preset(transcode, path)
    if audio and audio.codec:
        yield from _sound(audio.codec, container, audio, path)


def _sound(codec: str, container: str | None, audio: Audio, path: str) -> Problems:
    counts, where = CHANNELS.get(codec, ()), _join(path, "Audio.Channels")
    if audio.channels and counts and audio.channels not in counts:
        allowed = f"{_one_of(counts)} with Codec {codec}"
        yield ParameterError(where, audio.channels, allowed, fix={where: min(counts, key=lambda n: abs(n - 2))})
    rates = RATES.get(f"{codec} in {container}", RATES.get(codec, ()))
    where, rate = _join(path, "Audio.Samplerate"), audio.samplerate
    if rate and rates and rate not in rates:
        allowed = f"{_one_of(rates)} with Codec {codec}"
        nearest = min(rates, key=lambda one: abs(one - rate))
        yield ParameterError(where, rate, f"{allowed} in {container}" if container else allowed, fix={where: nearest})


def _preset(transcode: Transcode, path: str) -> Problems:
    video = transcode.video
    if video is None or video.preset is None:
        return
    container = transcode.container.format if transcode.container else None
    codec = video.codec or ("VP8" if container == "WebM" else "H.264")
    presets = PRESETS.get(codec, ())
    if video.preset not in presets:
        allowed = f"{_one_of(presets)} with Codec {codec}" if presets else f"left out with Codec {codec}"
        where = _join(path, "Video.Preset")
        yield ParameterError(where, video.preset, allowed, fix={where: None})


def _one_of(values: tuple[str, ...] | tuple[int, ...]) -> str:
    return f"{'one of ' if len(values) > 1 else ''}{', '.join(map(str, values))}"


def _not_in(path: str, leaf: str, value: str, codecs: tuple[str, ...], container: str) -> ParameterError:
    allowed = f"{_one_of(codecs)} in {container}" if codecs else f"left out in {container}"
    fix = {_join(path, leaf): codecs[0] if codecs else None}
    return ParameterError(_join(path, leaf), value, allowed, "Change the codec or Container.Format.", fix=fix)


def _watermark(mark: Watermark, path: str) -> Problems:
    for kind, child in (("Text", mark.text), ("Image", mark.image)):
        if mark.type == kind and child is None:
            yield ParameterError(_join(path, kind), None, f"a node {kind} when Type is {kind}")
    background = bool(mark.image and mark.image.background)
    limit = (300 if background else 100) if mark.loc_mode == "Relativity" else 4096
    low, high = (-limit, 0) if background else (0, limit)
    unit = "%" if mark.loc_mode == "Relativity" else "px"
    for tag, value in (("Dx", mark.dx), ("Dy", mark.dy)):
        if isinstance(value, (int, float)) and not low <= value <= high:
            kind = "a background image" if background else f"LocMode {mark.loc_mode}"
            fix = {_join(path, tag): float(min(max(value, low), high))}
            yield ParameterError(_join(path, tag), value, f"{low} to {high} {unit} with {kind}", fix=fix)
    if mark.start_time is not None and mark.end_time is not None and mark.end_time <= mark.start_time:
        where = _join(path, "EndTime")
        yield ParameterError(where, mark.end_time, f"later than StartTime, {mark.start_time:g} s", fix={where: None})
    if mark.image is not None:
        yield from _image_size(mark, path)


def _image_size(mark: Watermark, path: str) -> Problems:
    image = mark.image
    if image is None or image.mode is None:
        return
    low, high, unit = {"Original": (0, 0, ""), "Fixed": (8, 4096, "px")}.get(
        image.mode, (100, 300, "%") if image.background else (1, 100, "%")
    )
    for tag, value in (("Width", image.width), ("Height", image.height)):
        where = _join(path, f"Image.{tag}")
        if value is not None and image.mode == "Original":
            yield ParameterError(
                where,
                value,
                "left out with Mode Original",
                "Or set Mode to Proportion or Fixed.",
                fix={where: None},
            )
        elif isinstance(value, int) and not low <= value <= high:
            fix = {where: min(max(value, low), high)}
            yield ParameterError(where, value, f"{low} to {high} {unit} with Mode {image.mode}", fix=fix)


def _setting_with_marks(operation: Operation, path: str) -> Problems:
    setting = operation.setting
    is_inline = operation.video_enhance is None or not operation.template_id
    transcode = setting.transcode if setting and is_inline and not operation.transcode_template_id else None
    if transcode and transcode.video and transcode.video.codec == "H.265" and not operation.watermark_template_id:
        for number, mark in enumerate(operation.watermark, 1):
            if isinstance(mark, Watermark) and mark.slide_config and mark.slide_config.slide_mode == "ScrollFromLeft":
                where = _join(path, f"Watermark.{number}.SlideConfig")
                yield ParameterError(where, "ScrollFromLeft", "left out with Codec H.265", fix={where: None})


def _template(request: TemplateRequest, path: str) -> Problems:
    needed: dict[str, tuple[str, object]] = {
        "VideoEnhance": ("VideoEnhance", request.video_enhance), "Watermark": ("Watermark", request.watermark),
        "Transcode": ("Container", request.container), "SuperResolution": ("Resolution", request.resolution),
        "VideoProcess": ("ColorEnhance or MsSharpen", request.color_enhance or request.ms_sharpen),
    }  # fmt: skip
    tag, value = needed.get(str(request.tag), ("", ""))
    if value is None:
        kind = "a value" if tag == "Resolution" else f"a node {tag}"
        yield ParameterError(_join(path, tag.partition(" ")[0]), None, f"{kind} when Tag is {request.tag}")
    if request.tag == "Transcode" and request.container is not None:
        yield from _transcode(Transcode(container=request.container, video=request.video, audio=request.audio), path)


RULES: dict[type[Node], tuple[Callable[..., Problems], ...]] = {
    Request: (_request,),
    Operation: (_setting_with_marks,),
    Transcode: (_transcode,),
    Watermark: (_watermark,),
    TemplateRequest: (_template,),
    VideoEnhance: (),
}
_MP3 = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
RATES: dict[str, tuple[int, ...]] = {
    "amr": (8000,),
    "opus": (8000, 16000, 24000, 48000),
    "mp3": _MP3,
    "mp3 in flv": (22050, 44100),
    "mp3 in mp4": _MP3[3:],
}

_H = ("H.264", "H.265", "AV1")
_AAC_MP3 = ("aac", "mp3")
# Container → video and audio codecs, from the API page on transcoding. Its rows on AV1 in hls and mkv
# contradict each other. We use the narrower one, because a refusal costs less than a broken file.
# mov, flv, ts and avi are documented with H.264 only.
FORMATS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "mp4": (_H, _AAC_MP3), "hls": (_H[:2], _AAC_MP3), "mkv": (_H[:2], _AAC_MP3),
    "ts": (_H[:1], _AAC_MP3), "flv": (_H[:1], _AAC_MP3), "avi": (_H[:1], _AAC_MP3), "mov": (_H[:1], _AAC_MP3),
    "dash": (_H[:1], ("aac",)), "WebM": (("VP8", "VP9", "AV1"), ("Vorbis", "opus")),
    "aac": ((), ("aac",)), "mp3": ((), ("mp3",)), "flac": ((), ("flac",)), "amr": ((), ("amr",)),
    "adts": ((), ("aac",)), "m4a": ((), ("aac",)), "wav": ((), ("pcm_s16le",)),
}  # fmt: skip

# Leaves of Video that only some codecs support.
_NOT_VP = ("H.264", "H.265", "AV1")
ONLY_FOR: dict[str, tuple[str, ...]] = {
    "Bufsize": _NOT_VP, "Maxrate": _NOT_VP, "Pixfmt": ("H.264", "H.265"), "Profile": ("H.264",),
    "Crop": ("H.264", "VP8", "VP9"), "Interlaced": ("H.264", "VP8", "VP9"), "Roi": _NOT_VP,
}  # fmt: skip

PRESETS: dict[str, tuple[str, ...]] = {
    "H.264": ("veryfast", "fast", "medium", "slow", "slower"), "VP8": ("good", "realtime"), "AV1": ("5", "4"),
}  # fmt: skip

CHANNELS: dict[str, tuple[int, ...]] = {
    "aac": (1, 2, 4, 5, 6, 8), "flac": (1, 2, 4, 5, 6, 8), "mp3": (1, 2), "opus": (1, 2), "Vorbis": (2,), "amr": (1,),
    "pcm_s16le": (1, 2),
}  # fmt: skip
