"""Answers that show jobs, written from the stored bodies as text.

Invariant: the answer equals the one that `job_details.job_details` gives. A list shows thousands of jobs, and
a poll shows the same ones again. So the text of an operation is cached, and no body is parsed into nodes for it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from html import escape
from typing import Final

from lxml import etree

from ci_notebook.engine.calls.exchange import Answer
from ci_notebook.engine.calls.job_details import job_details, job_facts
from ci_notebook.engine.jobs.ledger import JobRow
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.declaration.node import part_by_tag, parts
from ci_notebook.wire.xml import dumps, parse, text_for_xml

__all__ = ["jobs_answer"]

# LRU cache of operations as text: about 3 kB each. A call shows at most 200 jobs.
CACHED_OPERATIONS: Final = 4096
# These nodes change with the state of their job, so they are written from the nodes.
_WITH_STATE: Final = (b"DigitalWatermark", b"ExtractDigitalWatermark")


def jobs_answer(
    jobs: Iterable[JobRow], region: str, *, missing: Sequence[str] = (), next_token: str | None = None
) -> Answer:
    """Return the body that shows jobs: `Response`, with the ids that no job has, or where the next page begins."""
    details = "".join(_job_text(job, region) for job in jobs)
    rest = "".join(_leaf("NonExistJobIds", one) for one in missing) + _leaf("NextToken", next_token)
    body = f"<?xml version='1.0' encoding='utf-8'?>\n<Response>{details}{rest}</Response>"
    return Answer(200, body.encode(), {"Content-Type": "application/xml"})


def _job_text(job: JobRow, region: str) -> str:
    if any(word in job.request for word in _WITH_STATE):
        return dumps(job_details(job, region), "JobsDetail").decode().partition("?>")[2].lstrip()
    facts = "".join(_leaf(tag, text) for tag, text in job_facts(job).items())
    source = _leaf("BucketId", job.bucket) + _leaf("Object", job.input_object) + _leaf("Region", region)
    operation = _operation_text(job.request, job.result, job.template_name, job.level)
    return f"<JobsDetail>{facts}<Input>{source}</Input>{operation}</JobsDetail>"


@functools.lru_cache(maxsize=CACHED_OPERATIONS)
def _operation_text(request: bytes, result: bytes | None, template_name: str | None, level: int) -> str:
    """Return the operation as requested, with its results, in the order of the declaration."""
    requested = parse(request).find("Operation")
    answers = parse(result) if result else ()
    facts = {
        "TemplateName": _leaf("TemplateName", template_name),
        "MediaInfo": "".join(_raw(one) for one in answers if one.tag == "MediaInfo"),
        "MediaResult": "".join(_raw(one) for one in answers if one.tag == "MediaResult"),
        "JobLevel": _leaf("JobLevel", str(level)),
    }
    by_tag = part_by_tag(Operation)
    texts: dict[str, list[str]] = {part.tag: [] for part in parts(Operation)}
    unknown: list[str] = []
    for child in () if requested is None else requested:
        part, text = by_tag.get(str(child.tag)), child.text or ""
        is_repeated = part is not None and bool(texts[part.tag]) and not part.many
        if part is None or (part.node is None and len(child)) or (is_repeated and (part.node or text.strip())):
            unknown.append(etree.tostring(child, encoding="unicode", with_tail=bool((child.tail or "").strip())))
        elif part.tag not in facts and not is_repeated and (part.node or part.parse(text) is not None):
            texts[part.tag].append(_raw(child))
    in_order = [facts[tag] if tag in facts else "".join(written) for tag, written in texts.items()]
    return f"<Operation>{''.join((*in_order, *unknown))}</Operation>"


def _leaf(tag: str, text: str | None) -> str:
    if not text:
        return "" if text is None else f"<{tag}/>"
    return f"<{tag}>{escape(text_for_xml(text), quote=False)}</{tag}>".replace("\r", "&#13;")


def _raw(element: etree._Element) -> str:
    return etree.tostring(element, encoding="unicode", with_tail=False)
