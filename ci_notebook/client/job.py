"""`Job`: one job to look at, wait for, and download the output of."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from ci_notebook._machine_errors import translates_errors
from ci_notebook.client import async_bridge, polling
from ci_notebook.client.outputs.download import no_output, save_output
from ci_notebook.client.polling import Pace
from ci_notebook.model.api.jobs import JobFailed, JobsDetail, WaitTimedOut
from ci_notebook.model.api.snapshot_calls import SnapshotFormat
from ci_notebook.model.declaration.paths import values
from ci_notebook.model.html import html_table
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.wire.received import job_text

if TYPE_CHECKING:
    from ci_notebook.client.client import Client

# Makes a progress bar for a wait: a context manager that yields the callback for each change.
Bar = Callable[["Job"], AbstractContextManager[Callable[["Job"], None]]]


@translates_errors
class Job:
    """One job, as last read. Attributes make no call; `refresh` and `wait` read the job again.

    `await job` waits in a thread, so it works in the event loop of a notebook. Cancelling the await
    stops the wait; the job continues.
    """

    def __init__(self, client: Client, detail: JobsDetail, *, bar: Bar | None = None) -> None:
        self._client, self._bar = client, bar
        self.detail = detail

    @property
    def client(self) -> Client:
        """The client that read the job."""
        return self._client

    @property
    def id(self) -> str:
        """The service's id of the job."""
        return self.detail.job_id or ""

    @property
    def state(self) -> str:
        """One of Submitted, Running, Success, Failed, Pause, Cancel; as last read."""
        return self.detail.state or ""

    @property
    def progress(self) -> int:
        """Percent done, as last read."""
        percent = self.detail.progress
        return percent if isinstance(percent, int) else 100 if self.state == "Success" else 0

    @property
    def is_over(self) -> bool:
        """True in Success, Failed and Cancel."""
        return self.detail.is_over

    @property
    def setting(self) -> VideoEnhance | None:
        """The setting of the request, also of a job of a single stage; None for a job with a template."""
        return self.detail.operation.setting if self.detail.operation else None

    @property
    def xml(self) -> str:
        """The XML of the job as it came, with comments, attributes and nodes that this package does not know.

        Of a job that came as JSON, or was built in Python, the XML that stands for it.
        """
        return self.detail.xml or job_text(self.detail)

    @property
    def output_key(self) -> str:
        """The key of the output; empty until the job is done."""
        return next(iter(self.detail.output_keys), "")

    @property
    def hidden_text(self) -> str:
        """The text that an ExtractDigitalWatermark job found; empty if there is none, or the job is not done."""
        operation = self.detail.operation
        extraction = operation.extract_digital_watermark if operation else None
        return (extraction.message or "") if extraction else ""

    def refresh(self) -> Self:
        """Read the job again."""
        self.detail = self._client.job(self.id)[0]
        return self

    def wait(
        self,
        timeout_s: float | None = None,
        on_progress: Callable[[Job], None] | None = None,
        *,
        pace: Pace | None = None,
    ) -> Self:
        """Wait until the job is over, and return it.

        `on_progress` is called with the job each time its state or progress changes; without it the job
        shows its progress bar, if it has one. `pace` decides how to pause between two polls (see
        `Receiver`). Ctrl-C ends the wait, not the job. Raises `JobFailed` for Failed and Cancel, and
        `WaitTimedOut` after `timeout_s` (24 hours unless given); both carry the job as last read.
        """
        bar = self._bar if on_progress is None else None
        with bar(self) if bar else contextlib.nullcontext(on_progress) as notify:
            for detail in polling.watch(self._client, [self.id], timeout_s=timeout_s, pace=pace or self._client.pace()):
                self.detail = detail
                if notify is not None:
                    notify(self)
        if not self.is_over:
            raise WaitTimedOut(self.detail, timeout_s or 0.0)
        if self.state != "Success":
            raise JobFailed(self.detail)
        return self

    def __await__(self) -> Generator[Any, None, Self]:
        return async_bridge.result(lambda rest: self.wait(pace=Pace(rest)), self._client.pace().rest).__await__()

    def cancel(self) -> Self:
        """Cancel the job, which is possible only before it runs, and read it again."""
        self._client.cancel(self.id)
        return self.refresh()

    def download(
        self, path: str | Path | None = None, *, overwrite: bool = False,
        on_progress: Callable[[int, int], None] | None = None,
    ) -> Path:  # fmt: skip
        """Save the output of the job and return the path of the file.

        `path` is a file, or a folder; without it the file goes into the current folder. In a folder the file gets a
        readable name from the clip and the setting, such as `holiday-SharpenLevel-5.mp4`. An output of several files
        (HLS, DASH) needs a folder; the path of its playlist is returned. The file is copied from the lab's cache if
        it is there, else downloaded; a broken connection resumes. It appears only when it is complete, with the size
        and MD5 that the service reports. `on_progress` is called with the bytes so far and the size; without it a
        progress bar is shown.

        A file with the same content is left as it is. Raises `ParameterError` if the file exists with other content
        (unless `overwrite`) or cannot be written, `NotFound` while the job has no output, and `ContentChanged` if
        the object was replaced since.

        >>> import tempfile
        >>> import ci_notebook as ci
        >>> lab = ci.connect()
        >>> job = lab.submit(lab.upload(ci.sample("city")), {"SharpenLevel": 5}).wait()
        >>> job.download(tempfile.mkdtemp()).name
        'city-SharpenLevel-5.mp4'
        """
        self._finished_key()
        return save_output(
            self._client, self.detail, path, downloads=self._client.downloads, overwrite=overwrite,
            on_progress=on_progress,
        )  # fmt: skip

    def snapshot(self, at_s: float = 0.0, *, width: int = 0, height: int = 0, format: SnapshotFormat = "jpg") -> bytes:
        """Return one frame of the output. The service takes it, so only the image is downloaded."""
        return self._client.snapshot(self._finished_key(), at_s, width=width, height=height, format=format)

    def _finished_key(self) -> str:
        if not self.output_key and not self.is_over:
            self.refresh()  # it may have ended since it was read
        if not self.output_key:
            raise no_output(self.detail)
        return self.output_key

    def __repr__(self) -> str:
        percent = f" {self.progress} %" if self.state == "Running" else ""
        note = f"; {self.detail.note}" if self.detail.note else ""
        return f"<Job {self.state}{percent}: {self._source()}{self._setting_text()}{note}>"

    def _repr_html_(self) -> str:
        rows: list[tuple[str, object, str]] = [("State", f"{self.state} {self.progress} %", "")]
        rows.append(("Input", self._source(), ""))
        if self.state == "Failed":
            rows.append(("Error", f"{self.detail.code}: {self.detail.message}", ""))
        if self.detail.note:
            rows.append(("Message", self.detail.note, ""))
        leaves = values(self.setting).items() if self.setting is not None else ()
        return html_table("Job", [*rows, *((path, value, "") for path, value in leaves)])

    def _source(self) -> str:
        return (self.detail.input.object or "") if self.detail.input else ""

    def _setting_text(self) -> str:
        if self.setting is None:
            return ""
        return "".join(f" · {path}={value}" for path, value in values(self.setting).items())


class JobIterator(Iterator[Job]):
    """Jobs that are requested page by page, while they are taken."""

    def __init__(self, jobs: Iterable[Job]) -> None:
        self._jobs = iter(jobs)

    def __next__(self) -> Job:
        return next(self._jobs)

    def __repr__(self) -> str:
        return "<Jobs, requested as they are read: list(…) reads them, ci.to_frame(…) makes a table>"
