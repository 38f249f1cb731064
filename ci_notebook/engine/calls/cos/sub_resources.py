"""The table of sub-resources of COS: which call does each, or with which code it is refused.

Invariant: a request whose query asks for a sub-resource is never answered by the plain call of its path.
`PUT /k?acl` changes an ACL or is refused; it never writes the object `k`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from ci_notebook.model.errors import ServiceError
from ci_notebook.wire.operations import Call, HostKind
from ci_notebook.wire.service_errors import service_error
from ci_notebook.wire.signing import TOKEN_NAMES

NOT_DONE: Final = "MethodNotAllowed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SubResource:
    """What the engine does with one sub-resource: method → name of a call, or code of the refusal.

    A method that is not named is refused with `NOT_DONE`.
    """

    bucket: Mapping[str, str] = field(default_factory=dict)
    object: Mapping[str, str] = field(default_factory=dict)

    def answer(self, method: str, *, is_bucket: bool) -> str:
        """Return the name of the call, or the code of the refusal."""
        return (self.bucket if is_bucket else self.object).get(method, NOT_DONE)


_NONE: Final = SubResource()

# Codes from the COS page on error codes and the official SDKs: a configuration that was never set is not there.
SUB_RESOURCES: Final[Mapping[str, SubResource]] = {
    # Multipart uploads. A call needs all of its parameters.
    "uploads": SubResource(bucket={"GET": "list_multiparts"}, object={"POST": "start_multipart"}),
    "uploadId": SubResource(
        object={
            "POST": "complete_multipart", "GET": "list_parts", "DELETE": "abort_multipart", "PUT": "InvalidArgument",
        }
    ),
    "partNumber": SubResource(object={"PUT": "InvalidArgument"}),
    # Done
    "acl": SubResource(
        bucket={"GET": "get_bucket_acl"}, object={"GET": "get_object_acl", "PUT": "put_object_acl"}
    ),
    "tagging": SubResource(
        bucket={"GET": "NoSuchTagSet"},
        object={"GET": "get_object_tags", "PUT": "put_object_tags", "DELETE": "delete_object_tags"},
    ),
    "delete": SubResource(bucket={"POST": "delete_objects"}),
    "location": SubResource(bucket={"GET": "get_bucket_location"}),
    "logging": SubResource(bucket={"GET": "get_bucket_logging"}),
    "versioning": SubResource(bucket={"GET": "get_bucket_versioning"}),
    "versions": SubResource(bucket={"GET": "list_versions"}),
    "ci-process": SubResource(
        bucket=dict.fromkeys(("GET", "HEAD", "PUT", "POST", "DELETE"), "InvalidArgument"),
        object=dict.fromkeys(("GET", "HEAD", "PUT", "POST", "DELETE"), "InvalidArgument"),
    ),
    # Refused; nothing is set that could be read
    "cors": SubResource(bucket={"GET": "NoSuchCORSConfiguration"}),
    "encryption": SubResource(bucket={"GET": "NoSuchEncryptionConfiguration"}),
    "lifecycle": SubResource(bucket={"GET": "NoSuchLifecycleConfiguration"}),
    "policy": SubResource(bucket={"GET": "NoSuchPolicy"}),
    "referer": SubResource(bucket={"GET": "NoSuchRefererConfiguration"}),
    "replication": SubResource(bucket={"GET": "ReplicationConfigurationNotFoundError"}),
    "website": SubResource(bucket={"GET": "NoSuchWebsiteConfiguration"}),
    "restore": SubResource(object={"POST": "RestoreNonArchiveObject"}),
    # Refused by every method
    **dict.fromkeys(
        (
            "accelerate", "append", "comp", "domain", "domaincertificate", "image_process", "intelligenttiering",
            "inventory", "legal-hold", "live", "notification", "object-lock", "origin", "qrcode", "rename",
            "response-control", "retention", "select", "style", "symlink", "torrent", "truncate", "vod",
        ),
        _NONE,
    ),
}  # fmt: skip

# Processing of images: `?imageMogr2/thumbnail/!50p`, `?watermark/2/text/…`, several joined by |.
_IMAGES: Final = re.compile(
    r"(imageMogr2|imageView2|imageInfo|imageAve|imageInspect|exif|watermark|style)([/|].*)?", re.I | re.S
)
_SPELLINGS: Final = {name.lower(): name for name in SUB_RESOURCES}
_SIGNATURE: Final = ("sign", "x-cos-traffic-limit", *TOKEN_NAMES)


def refusal(method: str, host: HostKind, path: str, query: Mapping[str, str], call: Call | None) -> ServiceError | None:
    """Return why a request to COS is refused because of its query; None when `call` answers it.

    A parameter with a value that COS does not know is ignored, as COS does. One without a value (`?name`)
    asks for a sub-resource, with any name.
    """
    if host not in ("cos", "service"):
        return None
    is_bucket = path == "/"
    expected = {*(name for name, _ in call.flags), *call.query} if call else set()
    for name, value in query.items():
        if name in expected or name in _SIGNATURE or name.startswith("q-"):
            continue
        why = _refusal_of(name, value, method, is_bucket=is_bucket, is_known=call is not None)
        if why is not None:
            return why
    if call is not None and query.get("versionId", "") not in ("", "null"):
        text = f"This engine keeps no versions of objects. Leave out versionId (got {query['versionId'][:40]!r})."
        return service_error("NoSuchVersion", text)
    return None


def _refusal_of(name: str, value: str, method: str, *, is_bucket: bool, is_known: bool) -> ServiceError | None:
    spelling = _SPELLINGS.get(name.lower())
    if spelling is not None:
        code = SUB_RESOURCES[spelling].answer(method, is_bucket=is_bucket)
        return _error_of(spelling, value, method, code, is_bucket=is_bucket)
    if _IMAGES.fullmatch(name):
        return service_error("InvalidArgument", f"This engine does not process images (got ?{name[:80]}).")
    if name == "versionId" or name.lower().startswith(("x-cos-", "x-ci-")):
        return service_error("InvalidArgument", f"{method} takes no parameter {name[:80]}. Leave it out.")
    if is_known and not value and name:
        text = f"This engine does not know the sub-resource ?{name[:80]}. Leave it out, or give it a value."
        return service_error("InvalidArgument", text)
    return None


def _error_of(name: str, value: str, method: str, code: str, *, is_bucket: bool) -> ServiceError:
    level = "a bucket" if is_bucket else "an object"
    if name == "ci-process":
        text = f"ci-process must be snapshot or videoinfo, with GET on an object (got {value[:80]!r} with {method})."
    elif code == "InvalidArgument":
        text = "The parameters uploadId and partNumber must come together."
    elif code.startswith("NoSuch") or code.endswith("NotFoundError"):
        text = f"The {name} configuration was never set; this engine does not keep one."
    elif code == "RestoreNonArchiveObject":
        text = "This engine archives no objects, so there is nothing to restore."
    else:
        code = NOT_DONE
        text = f"This engine does not support {method} ?{name} on {level}. Nothing was changed."
    return service_error(code, text)
