"""Frames of videos with captions, a job's result as HTML, and spoiled clips."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any, Final

from ci_notebook.client.client import Client
from ci_notebook.client.file_cache import FileCache, md5_of
from ci_notebook.client.job import Job
from ci_notebook.client.objects import Clip
from ci_notebook.experiment.pricing.price import PriceList
from ci_notebook.experiment.run_record import Run
from ci_notebook.lab.files import Video, key_of, local_file
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.clip_labels import ClipIdentity, clip_labels
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.html import html_table
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.words import settings_in_words
from ci_notebook.results.inline_pictures import Picture, Pictures
from ci_notebook.widgets.enhance.result import result_html

if TYPE_CHECKING:
    from ci_notebook.media.scoring.score import Scores


def look(client: Client, videos: Sequence[Video], times: Iterable[float], width_px: int) -> Pictures:
    """Return frames of videos at some times, each with a caption that says how its setting differs from the others."""
    captions = _captions(videos)
    return Pictures(
        tuple(
            Picture(client.snapshot(key_of(video), at_s, width=width_px), f"{caption} at {at_s:g} s")
            for video, caption in zip(videos, captions, strict=True)
            for at_s in times
        ),
        width_px,
    )


def _captions(videos: Sequence[Video]) -> list[str]:
    settings = {
        place: values(one.setting or VideoEnhance()) for place, one in enumerate(videos) if isinstance(one, Job | Run)
    }
    words = dict(zip(settings, settings_in_words(list(settings.values())), strict=True))
    names = clip_labels([_source(one) for one in videos])
    several_clips = len({names[place] for place in settings}) > 1
    return [
        name if place not in words else f"{name}: {words[place]}" if several_clips and name else words[place]
        for place, name in enumerate(names)
    ]


def _source(video: Video) -> ClipIdentity:
    """Return the identity of the clip of a video."""
    if isinstance(video, Clip):
        return ClipIdentity(video.name or PurePosixPath(video.key).name, video.key, video.md5)
    if isinstance(video, Run):
        return ClipIdentity(video.clip, video.clip_key, video.clip_md5)
    key = video if isinstance(video, str) else (video.detail.input.object or "") if video.detail.input else ""
    return ClipIdentity(PurePosixPath(key).name, key)


def job_html(client: Client, job: Job) -> str:
    """Return the request and the result of a job, with a frame before and after, as plain HTML."""
    detail = job.detail
    operation = detail.operation
    setting = (operation.setting if operation else None) or VideoEnhance()
    if detail.state != "Success" or not detail.output_keys:
        return result_html(setting, job)
    at_s = _middle(detail)
    source = detail.input.object if detail.input and detail.input.object else ""
    before = client.snapshot(source, at_s, width=480) if source else None
    return result_html(setting, job, before, client.snapshot(detail.output_keys[0], at_s, width=480))


_UNCHANGED: Final = {"shrink": 1, "crf": None, "fps": None, "cast": None, "dim": 0.0, "noise": 0}


def lab_html(title: str, *, bucket: str, region: str, engine: str, prices: PriceList) -> str:
    """Return the facts of a lab as a small table."""
    rows = {"Bucket": bucket, "Region": region, "Engine": engine, "Prices": f"{prices.name} list of {prices.date}"}
    return html_table(title, [(name, text, "") for name, text in rows.items()])


def jpeg_of(video: Path, at_s: float, width_px: int) -> bytes:
    """Return one frame of a local video as a JPEG."""
    from ci_notebook.media.snapshot import encode_picture, picture  # lazy, as below

    return encode_picture(picture(video, at_s, width=width_px), "jpg")


def measure(output: Path, source: Path, /, **more: Any) -> Scores:
    """Return the scores of a local video against its source."""
    from ci_notebook.media.scoring.score import scores  # lazy: the thin client installs without numpy and PyAV

    return scores(output, source, **more)


def spoiled(client: Client, clip: Clip, cache: Path, changes: Mapping[str, Any]) -> tuple[Path, str]:
    """Return the file of a clip made worse, and a name for it that lists what was done.

    `changes` are keywords of `media.spoil.spoil`; those that change nothing are left out. The same clip is made worse
    in the same way once.
    """
    from ci_notebook.media.spoil import spoil  # lazy, as above

    changes = {name: value for name, value in changes.items() if value != _UNCHANGED[name]}
    suffix = "-".join(f"{name}{value}" for name, value in changes.items())
    source, files = local_file(client, cache, clip), FileCache(cache)
    content = f"{md5_of(source)} spoiled {json.dumps(changes, sort_keys=True)}"
    path = files.path_of(clip.bucket, clip.key, content, suffix=".mp4")
    files.make(path, lambda part: spoil(source, part, **changes))
    return path, f"{Path(clip.name or clip.key).stem}-{suffix or 'spoilt'}.mp4"


def _middle(detail: JobsDetail) -> float:
    info = detail.operation.media_info if detail.operation else None
    duration = info.format.duration if info and info.format else None
    return round(duration / 2, 1) if isinstance(duration, float) else 0.0
