"""Reads job-completion notifications: XML or JSON, with or without `EventName`."""

from __future__ import annotations

import json
from typing import Any

from lxml import etree

from ci_notebook.model.api.jobs import JobsDetail, Response
from ci_notebook.wire.received import keep_received
from ci_notebook.wire.xml import MAX_DEPTH, MalformedXML, parse, read


def read_notification(body: bytes) -> tuple[JobsDetail, ...]:
    """Return the jobs in a notification. Raises `MalformedXML` for any other body.

    The first character decides between XML and JSON, because the Content-Type of JSON notifications is
    not documented.

    >>> read_notification(b'{"JobsDetail": [{"JobId": "j1", "State": "Success"}]}')
    (JobsDetail(job_id='j1', state='Success'),)
    """
    is_json = body.lstrip(b"\xef\xbb\xbf \t\r\n")[:1] == b"{"
    root = _element_of_json(body) if is_json else parse(body)
    answer = read(JobsDetail, root) if root.tag == "JobsDetail" else read(Response, root)
    if not is_json:
        keep_received(answer, body)
    jobs = answer.jobs_detail if isinstance(answer, Response) else (answer,)
    if not jobs:
        raise MalformedXML("The text contains no job.")
    return jobs


def _element_of_json(body: bytes) -> etree._Element:
    """Convert JSON to XML: a list becomes a repeated node, any other value becomes text."""
    root = etree.Element("Response")
    try:
        _put(root, json.loads(body), 0)
    except (ValueError, RecursionError) as error:
        raise MalformedXML(f"The JSON cannot be read: {error}") from error
    return root


def _put(element: etree._Element, value: Any, depth: int) -> None:
    if depth > MAX_DEPTH:
        raise MalformedXML(f"The JSON is nested more than {MAX_DEPTH} levels deep.")
    if isinstance(value, dict):
        for tag, one in value.items():
            for each in one if isinstance(one, list) else [one]:
                _put(etree.SubElement(element, tag), each, depth + 1)
    elif isinstance(value, list):
        raise MalformedXML("The JSON has a list inside a list, which XML cannot represent.")
    elif isinstance(value, bool):
        element.text = "true" if value else "false"
    elif value is not None:
        element.text = str(value)
