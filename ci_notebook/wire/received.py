"""The XML of jobs as it came: comments, attributes, order and spelling of the answer, character by character.

Reading an answer into nodes keeps its content, but not how it was written. So each job that is read keeps its answer
and its number in it. The text is cut out when somebody asks for `JobsDetail.xml`.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from typing import Any, Final

from ci_notebook.model.api.jobs import JobsDetail, Response
from ci_notebook.model.declaration.node import Node
from ci_notebook.model.text_bytes import decode, encoding_of, without_mark
from ci_notebook.wire.xml import MalformedXML, dumps, loads

__all__ = ["ReceivedXML", "job_text", "keep_received"]

_DECLARED: Final = re.compile(rb"<\?xml[^>]*?encoding\s*=\s*[\"']([A-Za-z0-9._-]+)[\"']")
# What begins with "<" in XML that a parser has accepted. Only comments, CDATA and instructions may hold a "<" inside.
_MARKUP: Final = re.compile(
    r"<!--.*?-->|<!\[CDATA\[.*?\]\]>|<\?.*?\?>"
    r"|<(?P<end>/?)(?P<name>[^\s/>!?]+)(?:[^<>\"']|\"[^\"]*\"|'[^']*')*?(?P<empty>/?)>",
    re.DOTALL,
)


class ReceivedXML:
    """The XML of one job of an answer; calling it returns the text. Its pickle holds the text of this job alone."""

    __slots__ = ("_answer", "_number")

    def __init__(self, answer: _Answer, number: int) -> None:
        self._answer, self._number = answer, number

    def __call__(self) -> str:
        """Return the text; empty where the answer does not hold it."""
        texts = self._answer.texts
        return texts[self._number] if self._number < len(texts) else ""

    def __reduce__(self) -> tuple[Any, ...]:
        return _of_text, (self(),)


class _Answer:
    """The body of an answer, and once they are asked for, the texts of its jobs."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    @functools.cached_property
    def texts(self) -> tuple[str, ...]:
        text = _decoded(self._data)
        return tuple(text[start:end] for start, end in _jobs_in(text))


def _of_text(text: str) -> ReceivedXML:
    return ReceivedXML(_Answer(text.encode()), 0)


def keep_received(answer: Node, data: bytes) -> None:
    """Let the jobs of an answer that was read from `data` keep their XML (see `JobsDetail.xml`)."""
    jobs = answer.jobs_detail if isinstance(answer, Response) else (answer,) if isinstance(answer, JobsDetail) else ()
    received = _Answer(data)
    for number, job in enumerate(jobs):
        job.keep_xml(ReceivedXML(received, number))


def job_text(job: JobsDetail) -> str:
    """Return the XML of a job: as it came where that is known and is complete in itself, else as we write it.

    >>> job_text(JobsDetail(job_id="j1"))
    '<JobsDetail><JobId>j1</JobId></JobsDetail>'
    """
    try:
        if job.xml and loads(JobsDetail, job.xml.encode()) == job:
            return job.xml
    except MalformedXML:
        pass  # a prefix, for example, whose namespace is declared further out
    return dumps(job).decode().partition("?>")[2].lstrip()


def _jobs_in(text: str) -> Iterator[tuple[int, int]]:
    """Yield start and end of every `JobsDetail` that is the outermost element or directly within it."""
    depth, begin, level = 0, 0, -1
    for match in _MARKUP.finditer(text):
        name = match["name"]
        if name is None:
            continue
        level = level if level >= 0 else int(name != "JobsDetail")  # the outermost element is the job, or holds it
        depth -= bool(match["end"])
        if name == "JobsDetail" and depth == level:
            begin = begin if match["end"] else match.start()
            if match["end"] or match["empty"]:
                yield begin, match.end()
        depth += not match["end"] and not match["empty"]


def _decoded(data: bytes) -> str:
    """Return the text of an answer that a parser has accepted, in the encoding that it declares."""
    if encoding_of(data) not in ("utf-8", "utf-8-sig"):
        return decode(data)
    declared = _DECLARED.match(data.lstrip())
    for encoding in (declared[1].decode() if declared else "utf-8", "utf-8"):
        try:
            return without_mark(data.decode(encoding))
        except (LookupError, UnicodeDecodeError):
            continue
    return data.decode("utf-8", "replace")
