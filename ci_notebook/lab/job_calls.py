"""`JobCalls`: the calls of a lab about single jobs: build, submit, read, list and watch them.

Invariant: the caller's mistakes raise `ParameterError` before anything is sent.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Literal

from ci_notebook._machine_errors import translates_errors
from ci_notebook.client.client import Client
from ci_notebook.client.job import Job, JobIterator
from ci_notebook.client.objects import Clip
from ci_notebook.client.queues import Queues
from ci_notebook.client.receiver import Receiver
from ci_notebook.client.templates import Templates
from ci_notebook.client.watch import Watch
from ci_notebook.lab.arguments import (
    job_states,
    setting_argument,
    video_from,
    whole_number,
)
from ci_notebook.lab.clips.clip_facts import name_of
from ci_notebook.lab.clips.clip_uploads import check_stored
from ci_notebook.lab.files import Video, key_of
from ci_notebook.lab.monitor_jobs import jobs_in_queue
from ci_notebook.lab.progress_bars import durations_of, job_bar
from ci_notebook.model.api.jobs import CallBackKafkaConfig, CallBackMqConfig, JobsDetail, Request
from ci_notebook.model.api.requests import enhance_request, extract_request
from ci_notebook.model.clip_summary import summary_of
from ci_notebook.model.errors import ParameterError, ServiceError
from ci_notebook.model.keywords import checks_keywords
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.shorthand import SettingLike
from ci_notebook.model.setting.source_rules import hdr_in_line, refuse_hdr_source
from ci_notebook.model.setting.watermark import DigitalWatermark, Watermark
from ci_notebook.wire.xml import dumps

if TYPE_CHECKING:
    from ci_notebook.engine.engine import Engine


@translates_errors
class JobCalls:
    """The part of a `Lab` that builds, submits, reads, lists and watches single jobs."""

    def __init__(self, client: Client, engine: Engine | None) -> None:
        self._client, self.engine = client, engine
        self._is_closed = False
        self.job_durations = durations_of(client, is_local=engine is not None)
        self._bar = partial(job_bar, self.job_durations)

    @property
    def client(self) -> Client:
        """The client behind the lab, for calls that the lab does not have. Raises `ParameterError` once closed."""
        self._check_open()
        return self._client

    @property
    def templates(self) -> Templates:
        """The bucket's templates: `create`, `get`, `list`, `update`, `delete`."""
        return self.client.templates

    @property
    def queues(self) -> Queues:
        """The bucket's queues: `list`, `get`, `pause`, `resume`, `update`."""
        return self.client.queues

    @property
    def bucket(self) -> str:
        """The bucket's name with its APPID."""
        return self._client.bucket

    @property
    def region(self) -> str:
        """The bucket's region."""
        return self._client.region

    @checks_keywords
    def request(
        self, clip: Video, setting: SettingLike | None = None, *, output_key: str = "",
        watermark: Watermark | Iterable[Watermark] = (), digital_watermark: DigitalWatermark | None = None,
        template_id: str | None = None, watermark_template_id: Iterable[str] = (),
        transcode_template_id: str | None = None, user_data: str | None = None,
        job_level: Literal[0, 1, 2] | None = None, queue_id: str | None = None, call_back: str | None = None,
        call_back_format: Literal["JSON", "XML"] | None = None,
        call_back_type: Literal["Url", "TDMQ", "Kafka"] | None = None,
        call_back_mq_config: CallBackMqConfig | None = None,
        call_back_kafka_config: CallBackKafkaConfig | None = None,
    ) -> Request:  # fmt: skip
        """Return the request that `submit` would send, without sending it. Takes what `submit` takes."""
        self._check_open()
        given = None if setting is None else setting_argument(setting, "request")
        video = video_from(self._client, clip, "request")
        return enhance_request(
            key_of(video), given, bucket=self.bucket, region=self.region, output_key=output_key,
            watermark=(watermark,) if isinstance(watermark, Watermark) else tuple(watermark),
            digital_watermark=digital_watermark, template_id=template_id,
            watermark_template_id=tuple(watermark_template_id), transcode_template_id=transcode_template_id,
            user_data=user_data, job_level=job_level, queue_id=queue_id, call_back=call_back,
            call_back_format=call_back_format, call_back_type=call_back_type,
            call_back_mq_config=call_back_mq_config, call_back_kafka_config=call_back_kafka_config,
        )  # fmt: skip

    def xml(self, setting: SettingLike) -> str:
        """Return the XML of a setting, as a request holds it."""
        return dumps(setting_argument(setting, "xml"), pretty=True).decode().partition("\n")[2]

    @checks_keywords
    def submit(
        self, clip: Video, setting: SettingLike | None = None, *, output_key: str = "",
        watermark: Watermark | Iterable[Watermark] = (), digital_watermark: DigitalWatermark | None = None,
        template_id: str | None = None, watermark_template_id: Iterable[str] = (),
        transcode_template_id: str | None = None, user_data: str | None = None,
        job_level: Literal[0, 1, 2] | None = None, queue_id: str | None = None, call_back: str | None = None,
        call_back_format: Literal["JSON", "XML"] | None = None,
        call_back_type: Literal["Url", "TDMQ", "Kafka"] | None = None,
        call_back_mq_config: CallBackMqConfig | None = None,
        call_back_kafka_config: CallBackKafkaConfig | None = None,
    ) -> Job:  # fmt: skip
        """Send one job and return it. On the cloud it costs money.

        `output_key` is where the result is stored (default `output/<name>-${jobid}.${ext}`). `template_id`
        names a stored setting, used in place of `setting`. A larger `job_level` runs first. `user_data` comes
        back in every reply. `call_back` is the address to notify, and the other `call_back_*` say how.

        Raises `ParameterError` before anything is sent, and `ServiceError`.
        """
        self._check_open()
        given = None if setting is None else setting_argument(setting, "submit")
        video = video_from(self._client, clip, "submit")
        check_stored(self._client, video)
        if given is not None:
            self._refuse_hdr_source(video, given)
        request = self.request(
            video, given, output_key=output_key, watermark=watermark, digital_watermark=digital_watermark,
            template_id=template_id, watermark_template_id=watermark_template_id,
            transcode_template_id=transcode_template_id, user_data=user_data, job_level=job_level,
            queue_id=queue_id, call_back=call_back, call_back_format=call_back_format,
            call_back_type=call_back_type, call_back_mq_config=call_back_mq_config,
            call_back_kafka_config=call_back_kafka_config,
        )  # fmt: skip
        return self._job(self.client.submit(request))

    def _refuse_hdr_source(self, video: Video, setting: VideoEnhance) -> None:
        """Raise `ParameterError` for SDRtoHDR on a clip that is known to be HDR. Only the embedded engine is asked."""
        if setting.sdr_to_hdr is None:
            return
        summary = video.summary if isinstance(video, Clip) else None
        if summary is None and self.engine is not None:
            with contextlib.suppress(ServiceError):  # the job says so
                summary = summary_of(self._client.video_info(key_of(video)))
        if summary is not None:
            refuse_hdr_source(setting, hdr_in_line(summary.dynamic_range), name_of(video))

    def extract_digital_watermark(self, video: Video) -> Job:
        """Send the job that reads a digital watermark. After the job, `job.hidden_text` is the text, or None."""
        client = self.client
        return self._job(client.submit(extract_request(key_of(video_from(client, video, "extract_digital_watermark")))))

    def job(self, job_id: str) -> Job:
        """Return a job by its id. Raises `NotFound`."""
        if not isinstance(job_id, str):
            raise ParameterError("job_id", job_id, "the id of a job as text, as in job.id")
        return self._job(self.client.job(job_id)[0])

    @checks_keywords
    def jobs(
        self, *, tag: str = "VideoEnhance", states: str | Iterable[str] = "All", queue_id: str | None = None,
        newest_first: bool = True, created_after: dt.datetime | None = None,
        created_before: dt.datetime | None = None, input_object: str | None = None,
        workflow_id: str | None = None, page_size: int = 100,
    ) -> Iterator[Job]:  # fmt: skip
        """Yield the bucket's jobs, newest first, page by page.

        `states` is "All", or some of Submitted, Pause, Running, Success, Failed and Cancel. `input_object` is the
        key of the source. Times are timezone-aware.
        """
        client = self.client
        details = client.jobs(
            tag=tag, states=job_states(states), queue_id=queue_id, newest_first=newest_first,
            created_after=created_after, created_before=created_before, input_object=input_object,
            workflow_id=workflow_id, page_size=whole_number("page_size", page_size),
        )  # fmt: skip
        return JobIterator(map(self._job, details))

    def watch(self, jobs: Job | str | Iterable[Job | str], *, timeout_s: float | None = None) -> Watch:
        """Return an iterator over jobs as they change: `for job in lab.watch(jobs)`, or `async for` in async code."""
        listed = [jobs] if isinstance(jobs, Job | str) else jobs
        return Watch(self.client, listed, timeout_s=timeout_s, bar=self._bar)

    def callbacks(self, *, port: int = 0) -> Receiver:
        """Return a receiver on loopback. Pass its `url` as `call_back` to be notified instead of polling.

        The embedded engine reaches it; the cloud does not reach your machine. Close it after use, or use it as a
        context manager.
        """
        return Receiver(self.client, port=port, bar=self._bar)

    def messages(self, name: str, *, region: str = "", reader: str = "notebook") -> list[JobsDetail]:
        """Return the jobs in the message queue `name` that `reader` has not read yet (CallBackType TDMQ).

        Raises `ParameterError` on the cloud, whose queues are read with TDMQ's own tools.
        """
        self._check_open()
        return jobs_in_queue(self.engine, name, region=region, reader=reader)

    def _check_open(self) -> None:
        if self._is_closed:
            raise ParameterError.plain("This lab is closed. Call ci.connect() again.")

    def _job(self, detail: JobsDetail) -> Job:
        return Job(self._client, detail, bar=self._bar)
