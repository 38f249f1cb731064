"""Turns jobs that somebody else sent into runs: recorded, downloaded, aligned, scored and priced.

Invariant: nothing is sent, so nothing is paid. A job is recorded before its output is downloaded: the same call
resumes after an interrupt, and `lab.run` with the same clip and setting finds the run.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from ci_notebook.client.objects import Clip
from ci_notebook.client.polling import IDS_PER_CALL
from ci_notebook.experiment.adoption.foreign import NotAdopted, foreign_run, read_facts
from ci_notebook.experiment.adoption.given_jobs import GivenJobs
from ci_notebook.experiment.client_port import ClientPort, RateLimit, RateLimitedClient
from ci_notebook.experiment.journal import Entry, Journal
from ci_notebook.experiment.run import RunOptions, complete_all
from ci_notebook.experiment.run_record import Run
from ci_notebook.model.api.jobs import JobsDetail
from ci_notebook.model.errors import NotFound
from ci_notebook.model.vmaf_v1 import check_screen

__all__ = ["Adoption", "adopt"]


@dataclass(frozen=True, slots=True)
class Adoption:
    """The runs of jobs; `skipped` is job id → why it is no run, `notes` is job id → what its run does not show."""

    runs: list[Run] = field(default_factory=list)
    skipped: dict[str, str] = field(default_factory=dict)
    notes: dict[str, str] = field(default_factory=dict)


def adopt(client: ClientPort, given: GivenJobs, options: RunOptions, *, wait: bool = False) -> Adoption:
    """Return one run per job, in the order given, each job once. Jobs that cannot become runs are in `skipped`.

    With `wait`, jobs that are not over are waited for; otherwise they are skipped. Of `options`, those about
    sending and money are not used. After Ctrl-C, raised as `Interrupted`, the same call resumes.
    """
    check_screen(options.screen)
    limited = RateLimitedClient(client, RateLimit(options.rate_per_s, sleep=client.sleep))
    options = replace(options, service=options.service or f"{client.bucket}/{client.region}")
    result = Adoption(skipped=dict(given.unreadable))
    jobs = _by_id(given, result.skipped)
    entries = {one: entry for one, job in jobs.items() if (entry := options.journal.find(job))}
    _read_again(limited, jobs, entries, options.journal)
    for one, job in jobs.items():
        if job.state is None:
            result.skipped[one] = "The service does not know it. A job belongs to one bucket, and old jobs are deleted."
        elif not job.is_over and not wait:
            result.skipped[one] = f"It is still {job.state}. Adopt it again when it has ended, or pass wait=True."
    new = [job for one, job in jobs.items() if one not in entries and one not in result.skipped]
    clips = _record(limited, new, options, result, entries)
    chosen = [
        (entries[one], clips.get(one) or _clip_of(entries[one].run, client))
        for one in jobs
        if one in entries and one not in result.skipped
    ]
    return replace(result, runs=complete_all(client, chosen, options))


def _by_id(given: GivenJobs, skipped: dict[str, str]) -> dict[str, JobsDetail]:
    """Return the jobs by their ids; of a job that was given twice, the reply in which it is over."""
    jobs: dict[str, JobsDetail] = {}
    for number, one in enumerate(given.jobs, 1):
        job = JobsDetail(job_id=one) if isinstance(one, str) else one
        if not job.job_id:
            skipped[f"job {number}"] = "It has no JobId."
        elif job.job_id not in jobs or not jobs[job.job_id].is_over:
            jobs[job.job_id] = job
    return jobs


def _read_again(
    client: RateLimitedClient, jobs: dict[str, JobsDetail], entries: dict[str, Entry], journal: Journal
) -> None:
    """Read the jobs again that were not over, and record the new states of jobs that the journal holds."""
    jobs |= {one: entry.run.job for one, entry in entries.items() if entry.run.job and entry.run.job.is_over}
    ids = [one for one, job in jobs.items() if not job.is_over or _is_open(entries.get(one))]
    for job in _read(client, ids):
        one = job.job_id or ""
        jobs[one] = job
        if one in entries:
            run = replace(entries[one].run, job=job)
            journal.record_reply(run)
            if job.is_over and job.state != "Success":
                journal.record_result(run)
            entries[one] = replace(entries[one], run=run, phase="sent")


def _is_open(entry: Entry | None) -> bool:
    return entry is not None and not (entry.run.job and entry.run.job.is_over)


def _read(client: RateLimitedClient, ids: list[str]) -> list[JobsDetail]:
    """Return the jobs of these ids; those that the service does not know are left out."""
    if len(ids) > IDS_PER_CALL:
        return [*_read(client, ids[:IDS_PER_CALL]), *_read(client, ids[IDS_PER_CALL:])]
    try:
        return client.job(*ids) if ids else []
    except NotFound:
        half = len(ids) // 2
        return [*_read(client, ids[:half]), *_read(client, ids[half:])] if half else []


def _record(
    client: RateLimitedClient, jobs: Iterable[JobsDetail], options: RunOptions, result: Adoption,
    entries: dict[str, Entry],
) -> dict[str, Clip]:  # fmt: skip
    """Record the jobs that can become runs, add their entries, and return their clips by job id."""
    listed = list(jobs)
    facts = read_facts(
        listed, bucket=client.bucket, region=client.region, head=client.head, get_templates=client.get_templates
    )
    clips, runs = dict[str, Clip](), list[Run]()
    for job in listed:
        one = job.job_id or ""
        try:
            run, clips[one], note = foreign_run(job, facts, options.service)
        except NotAdopted as reason:
            result.skipped[one] = str(reason)
            continue
        runs.append(run)
        if note:
            result.notes[one] = note
    for run, entry in zip(runs, options.journal.adopt(runs, service=options.service), strict=True):
        entries[(run.job and run.job.job_id) or ""] = entry
    return clips


def _clip_of(run: Run, client: ClientPort) -> Clip:
    return Clip(
        key=run.clip_key, bucket=client.bucket, region=client.region, size_bytes=0, md5=run.clip_md5, name=run.clip
    )
