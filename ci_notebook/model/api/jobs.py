"""Requests and jobs: `Request`, `JobsDetail`, and the table of job states."""

from __future__ import annotations

import dataclasses
import datetime as dt
import re
from collections.abc import Callable
from typing import Annotated, Any, Final, Literal

from ci_notebook.model.api.media_info import MediaInfo
from ci_notebook.model.declaration.node import Node, Param
from ci_notebook.model.errors import CIError
from ci_notebook.model.setting.enhance import SDRtoHDR, SuperResolution, VideoEnhance, VideoProcess, switched_on
from ci_notebook.model.setting.transcode import Transcode
from ci_notebook.model.setting.watermark import DigitalWatermark, ExtractDigitalWatermark, Watermark

State = Literal["Submitted", "Running", "Success", "Failed", "Pause", "Cancel"]

# Which state may follow which. The API page on job states does not say whether a paused job may be
# cancelled. It names "not started" as the condition, and a paused job has not started. A running job
# returns to Submitted when its worker died or was stopped.
FOLLOWS: Final[dict[str, tuple[str, ...]]] = {
    "Submitted": ("Running", "Pause", "Cancel", "Failed"),
    "Pause": ("Submitted", "Cancel"),
    "Running": ("Success", "Failed", "Submitted"),
    "Success": (),
    "Failed": (),
    "Cancel": (),
}
TERMINAL: Final = frozenset(state for state, following in FOLLOWS.items() if not following)

# The older kinds of jobs: each is one stage of VideoEnhance (VideoProcess is two), with the encoding next to it.
# Tag → the part of `Operation` with its parameters.
STAGE_TAGS: Final[dict[str, str]] = {
    "SuperResolution": "super_resolution", "SDRtoHDR": "sdr_to_hdr", "VideoProcess": "video_process",
}  # fmt: skip

_MD5: Final = re.compile(r"[0-9A-Fa-f]{32}")
_BEIJING = dt.timezone(dt.timedelta(hours=8))


def time_text(moment: dt.datetime) -> str:
    """Return a time as the API writes it: `2022-06-27T14:44:10+0800`, in Beijing time."""
    # isoformat is five times as fast as strftime, and a list of jobs holds three times a job.
    return f"{moment.astimezone(_BEIJING).replace(tzinfo=None).isoformat(timespec='seconds')}+0800"


def time_of(text: str | None) -> dt.datetime | None:
    """Return an API time in UTC; None for `-`, an empty text or any other text that is not a time."""
    try:
        return dt.datetime.strptime(text or "-", "%Y-%m-%dT%H:%M:%S%z").astimezone(dt.UTC)
    except (ValueError, OverflowError):  # Overflow: the year 1 or 9999, moved by its time zone
        return None


class CosHeader(Node):
    """A header of the source object; sent for workflow jobs."""

    key: Annotated[str | None, Param("Name.", reply=True)] = None
    value: Annotated[str | None, Param("Value.", reply=True)] = None


class Input(Node):
    """The source object."""

    bucket_id: Annotated[str | None, Param("Bucket.", reply=True, also=("Bucket",))] = None
    object: Annotated[str | None, Param("Key of the source.", required=True, common=True)] = None
    region: Annotated[str | None, Param("Region.", reply=True)] = None
    cos_headers: Annotated[tuple[CosHeader, ...], Param("Headers of the source object.", reply=True)] = ()


class Output(Node):
    """Where the result is stored. The service replaces `${ext}` and `${jobid}` in the key."""

    region: Annotated[str | None, Param("Region.", required=True)] = None
    bucket: Annotated[str | None, Param("Bucket.", required=True)] = None
    object: Annotated[str | None, Param("Key of the result; may contain ${ext} and ${jobid}.", required=True)] = None


class Md5Info(Node):
    """The MD5 of one result."""

    object_name: Annotated[str | None, Param("Key.", reply=True)] = None
    md5: Annotated[str | None, Param("MD5, hexadecimal.", reply=True)] = None


class OutputFile(Node):
    """The result's objects. The key of an object is `object_prefix` + `object_name`."""

    bucket: Annotated[str | None, Param("Bucket.", reply=True)] = None
    region: Annotated[str | None, Param("Region.", reply=True)] = None
    object_name: Annotated[tuple[str, ...], Param("Keys.", reply=True)] = ()
    object_prefix: Annotated[str | None, Param("Common prefix of the keys.", reply=True)] = None
    md5_info: Annotated[tuple[Md5Info, ...], Param("MD5 of each result.", reply=True)] = ()


class MediaResult(Node):
    """The result of the job."""

    output_file: Annotated[OutputFile | None, Param("The result's objects.", reply=True)] = None


class Operation(Node):
    """The work to do on the source; in replies also the result."""

    template_id: Annotated[str | None, Param("Id of a template of the job's kind; overrides its inline stages.")] = None
    template_name: Annotated[str | None, Param("The template's name.", reply=True)] = None
    video_enhance: Annotated[VideoEnhance | None, Param("The setting, inline.")] = None
    super_resolution: Annotated[SuperResolution | None, Param("The stage, inline, of Tag SuperResolution.")] = None
    sdr_to_hdr: Annotated[SDRtoHDR | None, Param("The stage, inline, of Tag SDRtoHDR.", tag="SDRtoHDR")] = None
    video_process: Annotated[VideoProcess | None, Param("The stages, inline, of Tag VideoProcess.")] = None
    transcode: Annotated[Transcode | None, Param("The output's encoding, for the tags of single stages.")] = None
    transcode_template_id: Annotated[str | None, Param("Id of a Transcode template; overrides Transcode.")] = None
    watermark_template_id: Annotated[
        tuple[str, ...], Param("Ids of Watermark templates; override Watermark.", at_most=3)
    ] = ()
    watermark: Annotated[tuple[Watermark, ...], Param("Visible watermarks, inline.", at_most=3)] = ()
    digital_watermark: Annotated[DigitalWatermark | None, Param("A digital watermark: hidden text.")] = None
    extract_digital_watermark: Annotated[ExtractDigitalWatermark | None, Param("Read a digital watermark.")] = None
    media_info: Annotated[MediaInfo | None, Param("Properties of the result.", reply=True)] = None
    media_result: Annotated[MediaResult | None, Param("The result.", reply=True)] = None
    output: Annotated[Output | None, Param("Where to store the result.")] = None
    user_data: Annotated[
        str | None,
        Param(
            "Text that every reply repeats.",
            pattern="[ -~]*",
            allowed="at most 1024 printable ASCII characters",
            max_chars=1024,
            remedy="Line breaks and other alphabets are not allowed; encode them, for example with base64.",
        ),
    ] = None
    job_level: Annotated[Literal[0, 1, 2] | None, Param("Priority; higher runs first.", default="0")] = None

    @property
    def setting(self) -> VideoEnhance | None:
        """The inline setting of a job of any kind: `video_enhance`, or the same made of the older kinds' nodes.

        None where the stages are in a template, or there are none.
        """
        has_stage = (self.super_resolution, self.sdr_to_hdr, self.video_process) != (None, None, None)
        has_only_encoding = self.transcode is not None and not self.template_id
        if self.video_enhance is not None or not (has_stage or has_only_encoding):
            return self.video_enhance
        setting = switched_on(self.video_process) if self.video_process else VideoEnhance()
        changes: dict[str, Any] = {
            "super_resolution": self.super_resolution, "sdr_to_hdr": self.sdr_to_hdr, "transcode": self.transcode,
        }  # fmt: skip
        return dataclasses.replace(setting, **changes)


class CallBackMqConfig(Node):
    """The message queue to notify."""

    mq_region: Annotated[Literal["sh", "bj", "gz", "cd", "hk"] | None, Param("Region.", required=True)] = None
    mq_mode: Annotated[Literal["Topic", "Queue"] | None, Param("Mode.", required=True, default="Queue")] = None
    mq_name: Annotated[str | None, Param("Name of the topic.", required=True)] = None


class CallBackKafkaConfig(Node):
    """The CKafka topic to notify; documented only by the SDKs."""

    region: Annotated[str | None, Param("Region.")] = None
    instance_id: Annotated[str | None, Param("Instance.")] = None
    topic: Annotated[str | None, Param("Topic.")] = None


class Request(Node):
    """The body of `POST /jobs`."""

    tag: Annotated[
        Literal[
            "VideoEnhance", "SuperResolution", "SDRtoHDR", "VideoProcess", "DigitalWatermark", "ExtractDigitalWatermark"
        ] | None,
        Param("Kind of job.", required=True),
    ] = None  # fmt: skip
    input: Annotated[Input | None, Param("The source.", required=True)] = None
    operation: Annotated[Operation | None, Param("What to do.", required=True)] = None
    queue_id: Annotated[str | None, Param("Queue.", default="the bucket's media queue")] = None
    queue_type: Annotated[str | None, Param("Type of queue; not for VideoEnhance.")] = None
    call_back: Annotated[str | None, Param("URL to notify, or `no`.", default="the queue's")] = None
    call_back_format: Annotated[Literal["JSON", "XML"] | None, Param("Format of the notification.", default="XML")] = (
        None
    )
    call_back_type: Annotated[
        Literal["Url", "TDMQ", "Kafka"] | None, Param("Channel of the notification.", default="Url")
    ] = None
    call_back_mq_config: Annotated[CallBackMqConfig | None, Param("The message queue, for TDMQ.")] = None
    call_back_kafka_config: Annotated[CallBackKafkaConfig | None, Param("The topic, for Kafka.")] = None


class Workflow(Node):
    """The workflow that started the job."""

    run_id: Annotated[str | None, Param("Run.", reply=True)] = None
    workflow_id: Annotated[str | None, Param("Workflow.", reply=True)] = None
    workflow_name: Annotated[str | None, Param("Name.", reply=True)] = None
    name: Annotated[str | None, Param("Node.", reply=True)] = None


class JobsDetail(Node):
    """One job as the service describes it. In state Failed, `code` and `message` say why; `note` is about success."""

    code: Annotated[str | None, Param("`Success`, or the error code.", reply=True)] = None
    message: Annotated[str | None, Param("The error message; of a successful job remarks, or `done`.", reply=True)] = (
        None
    )
    job_id: Annotated[str | None, Param("Id.", reply=True)] = None
    sub_tag: Annotated[str | None, Param("Subtype.", reply=True)] = None
    state: Annotated[State | None, Param("State.", reply=True)] = None
    progress: Annotated[int | None, Param("Progress.", 0, 100, "%", reply=True)] = None
    creation_time: Annotated[str | None, Param("Time of creation.", reply=True)] = None
    start_time: Annotated[str | None, Param("Time of start, or `-`.", reply=True)] = None
    end_time: Annotated[str | None, Param("Time of end, or `-`.", reply=True)] = None
    queue_id: Annotated[str | None, Param("Queue.", reply=True)] = None
    queue_type: Annotated[str | None, Param("Kind of queue.", reply=True)] = None
    tag: Annotated[str | None, Param("Kind of job.", reply=True)] = None
    input: Annotated[Input | None, Param("The source.", reply=True)] = None
    operation: Annotated[Operation | None, Param("The request and its result.", reply=True)] = None
    workflow: Annotated[Workflow | None, Param("The workflow.", reply=True)] = None

    @property
    def xml(self) -> str:
        """The XML as it came, to the last comment and attribute. Empty where the job was not read from XML."""
        received: Callable[[], str] | None = self.__dict__.get("_received")
        return received() if received else ""

    def keep_xml(self, received: Callable[[], str]) -> None:
        """Keep the XML from which the job was read. A changed copy of the job does not have it."""
        object.__setattr__(self, "_received", received)

    @property
    def is_over(self) -> bool:
        """True in Success, Failed and Cancel. An unknown state is not over."""
        return self.state in TERMINAL

    @property
    def note(self) -> str:
        """Remarks of a successful job, such as what it changed or left out unasked; empty without."""
        message = (self.message or "").strip()
        return "" if self.state != "Success" or message == "done" else message

    @property
    def output_keys(self) -> tuple[str, ...]:
        """The keys of the outputs; empty until the job is done."""
        result = self.operation and self.operation.media_result
        outputs = result.output_file if result else None
        return tuple((outputs.object_prefix or "") + name for name in outputs.object_name) if outputs else ()


def output_md5(job: JobsDetail, key: str) -> str:
    """Return the MD5 of an output of a job as the service says it, in lower case; empty where it says none."""
    result = job.operation and job.operation.media_result
    made = result.output_file if result else None
    digests = {(info.object_name or ""): (info.md5 or "") for info in made.md5_info} if made else {}
    is_only_one = len(digests) == len(job.output_keys) == 1
    return checked_md5(digests.get(key, "") or (next(iter(digests.values())) if is_only_one else ""))


def checked_md5(text: str) -> str:
    """Return an MD5 from a reply in lower case; empty for a text that is none, such as the ETag of an upload in parts.

    >>> checked_md5("D41D8CD98F00B204E9800998ECF8427E"), checked_md5("../../private"), checked_md5("d41d8cd9-2")
    ('d41d8cd98f00b204e9800998ecf8427e', '', '')
    """
    return text.lower() if _MD5.fullmatch(text) else ""


class Response(Node):
    """The answer to job calls."""

    event_name: Annotated[str | None, Param("Type of notification; in callbacks.", reply=True)] = None
    request_id: Annotated[str | None, Param("Id of the call.", reply=True)] = None
    jobs_detail: Annotated[tuple[JobsDetail, ...], Param("Jobs.", reply=True)] = ()
    non_exist_job_ids: Annotated[tuple[str, ...], Param("Ids that do not exist.", reply=True)] = ()
    next_token: Annotated[str | None, Param("Token of the next page.", reply=True)] = None


def named_as_sent(tag: str, text: str) -> str:
    """Return a text in which the paths of parameters are those of a request with this tag.

    >>> named_as_sent("SDRtoHDR", "VideoEnhance.Transcode.Video.Codec VP9 cannot hold ten bits.")
    'Transcode.Video.Codec VP9 cannot hold ten bits.'
    """
    if tag not in STAGE_TAGS:
        return text
    within = f"{tag}." if tag == "VideoProcess" else ""
    text = text.replace("VideoEnhance.Transcode", "Transcode")
    return text.replace("VideoEnhance.", within)


class JobFailed(CIError):
    """A wait ended in Failed or Cancel. `job` is the last reply."""

    def __init__(self, job: JobsDetail) -> None:
        self.job = job
        super().__init__(job)

    def __str__(self) -> str:
        job = self.job
        if job.state == "Cancel":
            return f"Job {job.job_id} was cancelled."
        return f"Job {job.job_id} failed with {job.code}: {job.message}"


class WaitTimedOut(CIError, TimeoutError):
    """A wait reached its timeout. `job` is the last reply; the job itself continues."""

    def __init__(self, job: JobsDetail, timeout_s: float) -> None:
        self.job, self.timeout_s = job, timeout_s
        super().__init__(job, timeout_s)

    def __str__(self) -> str:
        percent = f" ({self.job.progress} %)" if self.job.progress is not None else ""
        return f"Job {self.job.job_id} is still {self.job.state}{percent} after {self.timeout_s:g} s. It continues."
