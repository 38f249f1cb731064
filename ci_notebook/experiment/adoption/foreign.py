"""Which jobs of others can become runs, and with which clip and setting.

Invariant: a job becomes a run only where its source, its setting and its output are certainly those of the job.
Where an object or a template was replaced since, the job is named with the reason.
"""

from __future__ import annotations

import dataclasses
import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent import futures
from typing import Final

from ci_notebook.client.objects import Clip, StoredObject, clip_of
from ci_notebook.client.polling import IDS_PER_CALL
from ci_notebook.experiment.journal import key_of
from ci_notebook.experiment.run_queue import run_key
from ci_notebook.experiment.run_record import Run
from ci_notebook.model.api.jobs import STAGE_TAGS, Input, JobsDetail, Operation, output_md5, time_of
from ci_notebook.model.api.templates import Template
from ci_notebook.model.errors import AccessDenied, NotFound, ParameterError
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.setting.transcode import Transcode
from ci_notebook.wire.headers import http_time_s
from ci_notebook.wire.xml import dumps

__all__ = ["NotAdopted", "ServiceFacts", "foreign_run", "read_facts"]

# Two clocks of the service: that of the storage, and that of media processing.
_SKEW_S: Final = 2.0
_THREADS: Final = 8


class NotAdopted(Exception):
    """A job cannot become a run; the text is the reason. It never leaves this package."""


@dataclasses.dataclass(frozen=True, slots=True)
class ServiceFacts:
    """Facts about the objects and templates of some jobs; a text in place of a fact is the reason why it is missing."""

    bucket: str
    region: str
    objects: Mapping[str, StoredObject | str]
    templates: Mapping[str, Template | str]

    def stored(self, key: str, what: str) -> StoredObject:
        """Return an object. Raises `NotAdopted`."""
        found = self.objects[key]
        if isinstance(found, str):
            raise NotAdopted(f"Its {what} {key} {found}.")
        return found

    def template(self, template_id: str) -> Template:
        """Return a template. Raises `NotAdopted`."""
        found = self.templates[template_id]
        if isinstance(found, str):
            raise NotAdopted(f"Its template {template_id} {found}.")
        return found


def read_facts(
    jobs: Iterable[JobsDetail], *, bucket: str, region: str, head: Callable[[str], StoredObject],
    get_templates: Callable[..., Sequence[Template]],
) -> ServiceFacts:  # fmt: skip
    """Ask the service about the source, the output and the templates of jobs, each once. Only reads."""
    keys, ids = dict[str, None](), dict[str, None]()
    for job in jobs:
        operation = job.operation or Operation()
        keys |= dict.fromkeys(key for key in (_source_key(job), *job.output_keys[:1]) if key)
        ids |= dict.fromkeys(one for one in (operation.template_id, operation.transcode_template_id) if one)

    def look(key: str) -> StoredObject | str:
        try:
            return head(key)
        except NotFound:
            return "is not in the bucket any more"
        except AccessDenied:
            return "may not be read with these credentials"
        except ParameterError as error:
            return f"has no valid key: {error}"

    with futures.ThreadPoolExecutor(_THREADS, thread_name_prefix="adopting") as pool:
        objects = dict(zip(keys, pool.map(look, keys), strict=True))
    return ServiceFacts(bucket, region, objects, _templates(list(ids), get_templates))


def _templates(ids: list[str], get: Callable[..., Sequence[Template]]) -> dict[str, Template | str]:
    """Return the templates of these ids; where some do not exist, the others are found by halves."""
    found: dict[str, Template | str] = {}
    for start in range(0, len(ids), IDS_PER_CALL):
        some = ids[start : start + IDS_PER_CALL]
        try:
            found |= dict(zip(some, get(*some), strict=True))
        except NotFound:
            half = len(some) // 2
            found |= (
                _templates(some[:half], get) | _templates(some[half:], get)
                if half
                else {some[0]: "does not exist any more, so its setting is not known"}
            )
    return found


def foreign_run(job: JobsDetail, facts: ServiceFacts, service: str) -> tuple[Run, Clip, str]:
    """Return the run of a job that is over, its clip, and a note about what the run does not show.

    Raises `NotAdopted` with the reason.
    """
    _check_kind(job)
    _check_place(job, facts)
    setting, template_id = _setting(job, facts)
    source_key = _source_key(job)
    if not source_key:
        raise NotAdopted("It names no source object.")
    source = facts.stored(source_key, "source")
    began = time_of(job.start_time) or time_of(job.creation_time)
    if _is_newer(source, began):
        raise NotAdopted(
            f"Its source {source_key} was stored again after the job began, so it may show something else. "
            "ci.score(output, source) compares two files."
        )
    if job.state == "Success":
        _check_output(job, facts)
    clip = clip_of(source, bucket=facts.bucket, region=facts.region)
    marks, notes = _marks(job.operation or Operation()), list[str]()
    if marks:
        notes.append(
            "It has watermarks, which lower its scores. lab.run() does not reuse it for the setting without watermarks."
        )
    kind = str(job.tag) if job.tag in STAGE_TAGS else ""
    if kind:
        notes.append(f"It is a job with Tag {kind}. lab.run() does not reuse it for a VideoEnhance setting.")
    key = run_key(clip, setting, service)
    if marks or kind:  # perhaps another output than that of the setting alone, so `lab.run` must not find it
        key = key_of(key, setting, marks + kind)
    run = Run(
        key=key, clip=clip.name, clip_key=clip.key, clip_md5=clip.md5, setting=setting, template_id=template_id, job=job
    )
    return run, clip, " ".join(notes)


def _source_key(job: JobsDetail) -> str:
    return (job.input.object or "") if job.input else ""


def _check_kind(job: JobsDetail) -> None:
    if job.tag not in (None, "", "VideoEnhance", *STAGE_TAGS):
        tags = ", ".join(("VideoEnhance", *STAGE_TAGS))
        raise NotAdopted(f"Its tag is {job.tag}; only jobs with the tags {tags} become runs.")


def _check_place(job: JobsDetail, facts: ServiceFacts) -> None:
    result = job.operation.media_result if job.operation else None
    output = result.output_file if result else None
    source = job.input or Input()
    places = [("source", source.bucket_id, source.region)]
    if output is not None:
        places.append(("output", output.bucket, output.region))
    for what, bucket, region in places:
        if (bucket and bucket != facts.bucket) or (region and region != facts.region):
            place = f"ci.connect({bucket or facts.bucket!r}, region={(region or facts.region)!r})"
            raise NotAdopted(f"Its {what} is in another bucket or region. Adopt it with {place}.")


def _setting(job: JobsDetail, facts: ServiceFacts) -> tuple[VideoEnhance, str]:
    """Return the setting of a job and its TemplateId. A template overrides the setting, as in the service."""
    operation = job.operation or Operation()
    setting, template_id = operation.setting, operation.template_id or ""
    if template_id:
        stored = _template(job, facts, template_id).setting
        if not isinstance(stored, VideoEnhance):
            raise NotAdopted(f"Its template {template_id} is not for video enhancement.")
        setting = dataclasses.replace(stored, transcode=operation.transcode) if job.tag in STAGE_TAGS else stored
        template_id = "" if job.tag in STAGE_TAGS else template_id  # a run's template is one of VideoEnhance
    if operation.transcode_template_id:
        encoding = _template(job, facts, operation.transcode_template_id).setting
        if not isinstance(encoding, Transcode):
            raise NotAdopted(f"Its template {operation.transcode_template_id} is not for transcoding.")
        setting, template_id = dataclasses.replace(setting or VideoEnhance(), transcode=encoding), ""
    if setting is None:
        raise NotAdopted("It names no setting: neither VideoEnhance nor TemplateId.")
    return setting, template_id


def _template(job: JobsDetail, facts: ServiceFacts, template_id: str) -> Template:
    template = facts.template(template_id)
    changed, created = time_of(template.update_time), time_of(job.creation_time)
    if changed and created and changed > created:
        raise NotAdopted(f"Its template {template_id} was changed after the job was sent, so its setting is not known.")
    return template


def _check_output(job: JobsDetail, facts: ServiceFacts) -> None:
    if not job.output_keys:
        raise NotAdopted("It succeeded, but it names no output.")
    key = job.output_keys[0]
    stored, md5 = facts.stored(key, "output"), output_md5(job, key).lower()
    is_other = bool(md5 and stored.md5 and stored.md5 != md5)
    if is_other or (not md5 and _is_newer(stored, time_of(job.end_time))):
        raise NotAdopted(f"Its output {key} was replaced after the job; another job may write to the same key.")


def _is_newer(stored: StoredObject, moment: dt.datetime | None) -> bool:
    """Return whether an object was stored after a moment; False where one of the times is not known."""
    stored_s = http_time_s(stored.last_modified)
    return stored_s is not None and moment is not None and stored_s > moment.timestamp() + _SKEW_S


def _marks(operation: Operation) -> str:
    """Return the watermarks of a job as text; empty without any."""
    marks = [*operation.watermark, *((operation.digital_watermark,) if operation.digital_watermark else ())]
    texts = [dumps(dataclasses.replace(mark)).decode() for mark in marks]
    return "\n".join([*texts, *operation.watermark_template_id])
