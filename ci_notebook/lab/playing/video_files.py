"""Local files of videos for the views: the original under a readable name, or what a browser can play.

Invariant: every file is in the cache or is the user's own; both are only read. Nothing larger than `MAX_BYTES` is
fetched for a page.
"""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

from ci_notebook.client.client import Client
from ci_notebook.client.file_cache import FileCache
from ci_notebook.client.job import Job
from ci_notebook.client.objects import Clip, StoredObject
from ci_notebook.client.outputs.download import named_output, no_output, save_output
from ci_notebook.experiment.playlists import PLAYLISTS, joined
from ci_notebook.experiment.run_record import Run
from ci_notebook.lab.files import key_of, local_file
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.errors import CIError, EngineError, ParameterError
from ci_notebook.model.file_names import NamedOutput, file_names, safe_name

__all__ = ["MAX_BYTES", "LabVideoFiles", "PlayFile", "TransferStopped"]

MAX_BYTES: Final = 2 << 30
"""Size of the largest file that a page can take: it holds the whole file in memory."""

Report = Callable[[str, float], None]
_PROXY_VERSION: Final = 1


class TransferStopped(CIError):
    """The page does not want the file any more."""


@dataclass(frozen=True, slots=True)
class PlayFile:
    """A file that a browser can play. `note` says what it is, if it is not the original."""

    path: Path
    mime: str
    note: str = ""


class LabVideoFiles:
    """Finds the files of clips, of the outputs of jobs and runs, of object keys, and local files.

    `client` is None where nothing can be fetched. Calls may take long: they report what they do and how far they are,
    and raise `TransferStopped` once `cancel` is set. They raise `NotFound` for a video without a file.
    """

    def __init__(self, client: Client | None, cache: Path) -> None:
        self._client, self._files = client, FileCache(cache)

    def check(self, video: Any) -> None:
        """Raise the error for a video without a file as far as it is known without a call."""
        detail = _detail(video)
        has_output = bool(detail and detail.output_keys) or (isinstance(video, Run) and video.output is not None)
        if isinstance(video, Job | Run) and not has_output:
            raise no_output(detail or JobsDetail())
        if self._client is None and not self._is_here(video):
            raise _unknown(video)

    def names(self, videos: Iterable[Any]) -> list[str]:
        """Return a readable file name for each video; outputs are named by the parameters in which they differ."""
        listed = list(videos)
        made = {at: named for at, one in enumerate(listed) if (named := _named_output(one)) is not None}
        names = dict(zip(made, file_names(list(made.values())), strict=True))
        return [names.get(at) or safe_name(_own_name(one)) for at, one in enumerate(listed)]

    def original(self, video: Any, *, cancel: threading.Event, report: Report) -> Path:
        """Return the local file of a video, fetched first if need be.

        Raises `ParameterError` for an output of several files and for one of more than `MAX_BYTES`.
        """
        detail = _detail(video)
        if detail is not None and len(detail.output_keys) > 1:
            raise ParameterError.plain(
                f"The output {PurePosixPath(detail.output_keys[0]).name} has {len(detail.output_keys)} files. "
                "Save them with job.download('folder/') in a cell."
            )
        path = self._local(video, cancel, report, most=MAX_BYTES)
        self._refuse_large(path.stat().st_size, video)
        return path

    def playable(
        self, video: Any, formats: Collection[str], *, cancel: threading.Event, report: Report
    ) -> PlayFile:  # fmt: skip
        """Return a file that a browser can play which knows `formats` (h264, hevc, vp8, vp9, av1).

        That is the original, or else a proxy in H.264 or VP9, which is made once and kept in the cache. With
        `proxy` among the formats it is always the proxy.
        """
        path = self._local(video, cancel, report)
        try:
            from ci_notebook.media.playback import playback_of, proxy_note  # lazy: the thin client has no PyAV
            from ci_notebook.media.probe import find_pyav  # lazy, as above

            find_pyav()
        except EngineError:  # nothing is known about the file: the browser tries
            self._refuse_large(path.stat().st_size, video)
            return PlayFile(path, "video/webm" if path.suffix.lower() == ".webm" else "video/mp4")
        how = playback_of(path)
        is_large = path.stat().st_size > MAX_BYTES
        if not how.obstacle and how.format in formats and "proxy" not in formats and not is_large:
            return PlayFile(path, how.mime)
        reason = how.obstacle
        if is_large:
            reason = reason or f"The original has {path.stat().st_size / 1e9:.1f} GB."
        elif not reason:
            reason = f"This browser does not play {how.format.upper()}."
        kind = "h264" if "h264" in formats or not formats else "vp9"
        proxy = self._proxy(path, kind, cancel, report)
        return PlayFile(proxy, "video/mp4" if kind == "h264" else "video/webm", f"{reason} {proxy_note(kind)}")

    def save(self, run: Run, folder: Path, name: str, *, overwrite: bool, only_check: bool = False) -> Path:
        """Save the output of a run in a folder under a name, and return its path (see `Job.download`).

        With `only_check` nothing is written; the errors that are known before are raised all the same.
        """
        if self._client is None or run.job is None:
            raise no_output(run.job or JobsDetail())
        if not only_check:
            folder.mkdir(parents=True, exist_ok=True)
        return save_output(
            self._client, run.job, folder / name if len(run.job.output_keys) == 1 else f"{folder}/", name=name,
            downloads=self._client.downloads, overwrite=overwrite, only_check=only_check,
        )  # fmt: skip

    def still(self, video: Any, *, width_px: int) -> bytes | None:
        """Return a frame of a video as JPEG, without a download of the video; None where there is none."""
        try:
            if self._is_here(video):
                from ci_notebook.media.frames import Frames  # lazy, as above

                path = self._local(video, threading.Event(), lambda text, share: None)
                with Frames(path) as frames:
                    return frames.coded(len(frames) // 2, quality=85, width=width_px)
            # The service takes the frame: the whole video travels only when it is played.
            return self._client.snapshot(key_of(video), _middle_s(video), width=width_px) if self._client else None
        except (CIError, ImportError):
            return None

    # Files

    def _is_here(self, video: Any) -> bool:
        path = video if isinstance(video, Path) else video.path if isinstance(video, Clip) else None
        path = video.output if isinstance(video, Run) else path
        return path is not None and path.exists()

    def _local(self, video: Any, cancel: threading.Event, report: Report, *, most: int | None = None) -> Path:
        if isinstance(video, Path):
            return video.resolve(strict=True)
        if isinstance(video, Run) and video.output is not None and self._files.note_use(video.output):
            return video.output
        if isinstance(video, Clip) and video.path is not None and video.path.exists():
            return video.path
        if self._client is None:
            raise _unknown(video)
        detail = _detail(video)
        if isinstance(video, Job | Run) and (detail is None or not detail.output_keys):
            raise no_output(detail or JobsDetail())

        def check(size: int) -> None:
            if most is not None:
                self._refuse_large(size, video)

        storage = _WatchedStorage(self._client, cancel, check, report)
        path = local_file(storage, self._files.folder, video)
        if detail is not None and path.suffix in PLAYLISTS:
            return joined(self._files, storage, path, detail)
        return path

    def _proxy(self, path: Path, kind: Any, cancel: threading.Event, report: Report) -> Path:
        from ci_notebook.media.playback import write_proxy  # lazy, as above

        facts = path.stat()
        made_of = json.dumps([str(path), facts.st_size, facts.st_mtime_ns])
        content = f"{hashlib.sha256(made_of.encode()).hexdigest()} proxy {kind} {_PROXY_VERSION}"
        target = self._files.path_of("", path.name, content, suffix=".mp4" if kind == "h264" else ".webm")

        def write(part: Path) -> None:
            report("Making a copy that the browser can play", 0.0)
            try:
                write_proxy(
                    path, part, kind, cancel=cancel,
                    on_progress=lambda share: report("Making a copy that the browser can play", share),
                )  # fmt: skip
            except EngineError:
                if cancel.is_set():
                    raise TransferStopped("Stopped.") from None
                raise

        return self._files.make(target, write)

    def _refuse_large(self, size: int, video: Any) -> None:
        if size > MAX_BYTES:
            remedy = (
                "Save it with job.download() in a cell."
                if isinstance(video, Job)
                else "Save it with runs.download(folder) in a cell."
                if isinstance(video, Run)
                else "Save it with lab.client.download(key, path) in a cell."
            )
            raise ParameterError.plain(
                f"{self.names([video])[0]} has {size / 1e9:.1f} GB, more than the {MAX_BYTES / 1e9:.1f} GB that a "
                f"page can take. {remedy}"
            )


@dataclass(frozen=True)
class _WatchedStorage:
    """A client whose downloads report their progress, stop, and are refused when they are too large."""

    client: Client
    cancel: threading.Event
    check_size: Callable[[int], None]
    report: Report

    @property
    def bucket(self) -> str:
        return self.client.bucket

    def head(self, key: str) -> StoredObject:
        return self.client.head(key)

    def download(self, key: str, path: str | Path) -> Path:
        def update(received: int, total: int) -> None:
            if self.cancel.is_set():
                raise TransferStopped("Stopped.")
            self.check_size(total)
            self.report("Downloading", received / total if total else 0.0)

        return self.client.download(key, path, on_progress=update)


def _unknown(video: Any) -> ParameterError:
    name = _own_name(video)
    return ParameterError.plain(f"{name} is not on this machine. Pass the lab that knows it: ci.play(lab, …).")


def _detail(video: Any) -> JobsDetail | None:
    return video.job if isinstance(video, Run) else video.detail if isinstance(video, Job) else None


def _middle_s(video: Any) -> float:
    detail = _detail(video)
    info = detail.operation.media_info if detail and detail.operation else None
    duration = info.format.duration if info and info.format else None
    return round(duration / 2, 1) if isinstance(duration, float) else 0.0


def _named_output(video: Any) -> NamedOutput | None:
    detail = _detail(video)
    if isinstance(video, Run):
        ending = video.output.name if video.output is not None else ""
        if detail is None:
            return NamedOutput(clip=video.clip, setting=values(video.setting), key=ending)
        # The run of a job that names a template knows its setting; the job does not.
        return replace(named_output(detail, clip=video.clip), setting=values(video.setting))
    return named_output(detail) if detail is not None else None


def _own_name(video: Any) -> str:
    if isinstance(video, Path):
        return video.name
    if isinstance(video, Clip):
        return video.name or PurePosixPath(video.key).name
    if isinstance(video, Run):
        return video.clip
    return PurePosixPath(str(video)).name if isinstance(video, str) else "video"
