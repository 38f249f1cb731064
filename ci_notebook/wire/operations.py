"""The table of API calls. The client builds requests from it, and the engine routes by it.

Method, kind of host, path and required query flags (`?cancel`, `?uploads`, `?ci-process=snapshot`)
identify a call.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal
from urllib.parse import quote

from ci_notebook.model.api.jobs import Request, Response
from ci_notebook.model.api.media_info import MediaInfoReply
from ci_notebook.model.api.queues import MediaBucketResponse, QueueRequest, QueueResponse
from ci_notebook.model.api.snapshot_calls import MediaInfoRequest, SnapshotRequest, SnapshotResponse
from ci_notebook.model.api.templates import TemplateRequest, TemplateResponse
from ci_notebook.model.declaration.node import Node
from ci_notebook.model.errors import ParameterError

# `region` is CI's host without a bucket, `service` is COS's.
HostKind = Literal["ci", "cos", "region", "service"]


@dataclass(frozen=True, slots=True)
class Call:
    """One call of the API.

    `path` has names in braces; only `{key}` may contain slashes. `flags` are the query parameters that
    select the call (None matches any value); `query` are optional parameters. `body` is sent with the
    root `Request`, and `answer` has the root `Response`; None means bytes or nothing. `action` is the
    permission that CAM must grant.
    """

    name: str
    method: str
    host: HostKind
    path: str
    action: str = ""
    flags: tuple[tuple[str, str | None], ...] = ()
    query: tuple[str, ...] = ()
    body: type[Node] | None = None
    answer: type[Node] | None = None

    def path_for(self, **names: str) -> str:
        """Return the decoded path with the names filled in. This path is signed.

        Raises `ParameterError` for an id that would be another path: an id may come from a reply.
        """
        for name, value in names.items():
            if name != "key" and _NO_ID.search(value):
                raise ParameterError.plain(f"{value!r:.80} is not an id: an id has no slash and no control character.")
        return re.sub(r"\{(\w+)\}", lambda name: names[name[1]], self.path)


_SHORT: Final = 80
_NO_ID: Final = re.compile(r"[/\\\x00-\x1f\x7f]|^\.{1,2}$")


@functools.lru_cache(maxsize=512)
def _encoded(text: str) -> str:
    return quote(text, safe="-_.~")


def url_encode(text: str) -> str:
    """Percent-encode as the signature requires: everything except `A-Za-z0-9-_.~`, also `/`."""
    # A call encodes some twenty short words, most of them those of the call before.
    return _encoded(text) if len(text) <= _SHORT else quote(text, safe="-_.~")


def url_path(path: str) -> str:
    """Return the percent-encoded path; slashes stay."""
    return quote(path, safe="/-_.~")


def url_query(query: Mapping[str, str]) -> str:
    """Return the percent-encoded query; a value of "" is written `key=`."""
    return "&".join(f"{url_encode(key)}={url_encode(value)}" for key, value in query.items())


_LIST_JOBS = (
    "tag", "queueId", "orderByTime", "nextToken", "size", "states", "startCreationTime", "endCreationTime",
    "workflowId", "inventoryTriggerJobId", "inputObject",
)  # fmt: skip

_READ = (
    "response-content-type", "response-content-language", "response-expires", "response-cache-control",
    "response-content-disposition", "response-content-encoding", "versionId",
)  # fmt: skip

CALLS: Final[tuple[Call, ...]] = (
    # Jobs
    Call("create_job", "POST", "ci", "/jobs", "CreateMediaJobs", body=Request, answer=Response),
    Call("list_jobs", "GET", "ci", "/jobs", "DescribeMediaJobs", query=_LIST_JOBS, answer=Response),
    Call("get_jobs", "GET", "ci", "/jobs/{ids}", "DescribeMediaJob", answer=Response),
    Call("cancel_job", "PUT", "ci", "/jobs/{id}", "CancelMediaJob", flags=(("cancel", None),)),
    # Templates
    Call("create_template", "POST", "ci", "/template", "CreateMediaTemplate",
         body=TemplateRequest, answer=TemplateResponse),
    Call("update_template", "PUT", "ci", "/template/{id}", "UpdateMediaTemplate",
         body=TemplateRequest, answer=TemplateResponse),
    Call("list_templates", "GET", "ci", "/template", "DescribeMediaTemplates",
         query=("tag", "category", "ids", "name", "pageNumber", "pageSize"), answer=TemplateResponse),
    Call("delete_template", "DELETE", "ci", "/template/{id}", "DeleteMediaTemplate", answer=TemplateResponse),
    # Queues and activation
    Call("list_queues", "GET", "ci", "/queue", "DescribeMediaQueues",
         query=("queueIds", "state", "category", "pageNumber", "pageSize"), answer=QueueResponse),
    Call("update_queue", "PUT", "ci", "/queue/{id}", "UpdateMediaQueue", body=QueueRequest, answer=QueueResponse),
    Call("activate_bucket", "POST", "ci", "/mediabucket", "CreateMediaBucket", answer=MediaBucketResponse),
    Call("deactivate_bucket", "DELETE", "ci", "/mediabucket", "DeleteMediaBucket", answer=MediaBucketResponse),
    Call("list_buckets", "GET", "region", "/mediabucket", "DescribeMediaBuckets",
         query=("regions", "bucketNames", "bucketName", "pageNumber", "pageSize"), answer=MediaBucketResponse),
    # Media info and snapshots
    Call("media_info", "POST", "ci", "/mediainfo", "GenerateMediaInfo",
         body=MediaInfoRequest, answer=MediaInfoReply),
    Call("store_snapshot", "POST", "ci", "/snapshot", "GenerateSnapshot",
         body=SnapshotRequest, answer=SnapshotResponse),
    Call("video_info", "GET", "cos", "/{key}", "GenerateMediaInfo",
         flags=(("ci-process", "videoinfo"),), answer=MediaInfoReply),
    Call("snapshot", "GET", "cos", "/{key}", "GenerateSnapshot", flags=(("ci-process", "snapshot"),),
         query=("time", "width", "height", "format", "rotate", "mode")),
    # Objects; their XML is defined by COS, see client/objects and engine/storage
    Call("start_multipart", "POST", "cos", "/{key}", flags=(("uploads", None),)),
    Call("complete_multipart", "POST", "cos", "/{key}", flags=(("uploadId", None),)),
    Call("put_part", "PUT", "cos", "/{key}", flags=(("partNumber", None), ("uploadId", None))),
    Call("list_parts", "GET", "cos", "/{key}", flags=(("uploadId", None),),
         query=("max-parts", "part-number-marker", "encoding-type")),
    Call("abort_multipart", "DELETE", "cos", "/{key}", flags=(("uploadId", None),)),
    Call("list_multiparts", "GET", "cos", "/", flags=(("uploads", None),),
         query=("prefix", "delimiter", "key-marker", "upload-id-marker", "max-uploads", "encoding-type")),
    Call("list_objects", "GET", "cos", "/", query=("prefix", "delimiter", "marker", "max-keys", "encoding-type")),
    # With the header x-cos-copy-source it copies another object (`Client.copy`).
    Call("put_object", "PUT", "cos", "/{key}"),
    Call("get_object", "GET", "cos", "/{key}", query=_READ),
    Call("head_object", "HEAD", "cos", "/{key}", query=_READ),
    Call("delete_object", "DELETE", "cos", "/{key}", query=("versionId",)),
    Call("head_bucket", "HEAD", "cos", "/"),
    # Calls of other clients; ours has no use for them
    Call("delete_objects", "POST", "cos", "/", flags=(("delete", None),)),
    Call("list_versions", "GET", "cos", "/", flags=(("versions", None),),
         query=("prefix", "delimiter", "key-marker", "version-id-marker", "max-keys", "encoding-type")),
    Call("get_object_acl", "GET", "cos", "/{key}", flags=(("acl", None),), query=("versionId",)),
    Call("put_object_acl", "PUT", "cos", "/{key}", flags=(("acl", None),), query=("versionId",)),
    Call("get_object_tags", "GET", "cos", "/{key}", flags=(("tagging", None),), query=("versionId",)),
    Call("put_object_tags", "PUT", "cos", "/{key}", flags=(("tagging", None),), query=("versionId",)),
    Call("delete_object_tags", "DELETE", "cos", "/{key}", flags=(("tagging", None),), query=("versionId",)),
    Call("get_bucket_acl", "GET", "cos", "/", flags=(("acl", None),)),
    Call("get_bucket_location", "GET", "cos", "/", flags=(("location", None),)),
    Call("get_bucket_versioning", "GET", "cos", "/", flags=(("versioning", None),)),
    Call("get_bucket_logging", "GET", "cos", "/", flags=(("logging", None),)),
    Call("put_bucket", "PUT", "cos", "/"),
    Call("list_all_buckets", "GET", "service", "/",
         query=("marker", "max-keys", "region", "tagkey", "tagvalue", "create-time", "range")),
)  # fmt: skip

CALL: Final[dict[str, Call]] = {call.name: call for call in CALLS}


def _pattern(path: str) -> re.Pattern[str]:
    """Return the pattern of a decoded path: `{key}` may contain slashes, other names may not."""
    names = re.sub(r"\{(\w+)\}", lambda name: f"(?P<{name[1]}>{'.+' if name[1] == 'key' else '[^/]+'})", path)
    return re.compile(names, re.DOTALL)


_PATTERNS: Final = tuple((call, _pattern(call.path)) for call in CALLS)


def match(method: str, host: HostKind, path: str, query: Mapping[str, str]) -> tuple[Call, dict[str, str]] | None:
    """Return the call of a request and the names in its path; None when no call matches.

    `path` is decoded. Of several matching calls, the one with the most flags wins.
    """
    best: tuple[Call, dict[str, str]] | None = None
    for call, pattern in _PATTERNS:
        if call.method != method or call.host != host or not (matched := pattern.fullmatch(path)):
            continue
        if all(flag in query and value in (None, query[flag]) for flag, value in call.flags) and (
            best is None or len(call.flags) > len(best[0].flags)
        ):
            best = call, matched.groupdict()
    return best
