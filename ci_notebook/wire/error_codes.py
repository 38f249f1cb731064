"""The table of error codes: HTTP status, our exception class, and a hint for each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from ci_notebook.model.errors import (
    AccessDenied,
    BucketNotActivated,
    ClockSkewed,
    NotFound,
    ServiceError,
    ServiceUnavailable,
    SignatureRefused,
    Throttled,
    UnknownKey,
)


@dataclass(frozen=True, slots=True)
class Code:
    """One error code. `status` is the HTTP status; where a code comes with several, it is the one we send."""

    status: int
    kind: type[ServiceError] = ServiceError
    hint: str = ""
    number: int = 0


_GRANT = (
    "The credentials are valid but lack a permission. "
    "In the CAM console, grant {actions} on {bucket} to their user or role."
)
_MISMATCH = (
    "The SecretId is known, but the signature does not match its SecretKey. "
    "Check the SecretKey for a missing or added character."
)
_KEY = "The SecretId is unknown or disabled. Check it for a missing character, and check that the key is enabled."
_CLOCK = "Synchronize this machine's clock over the network (NTP) and try again.{skew}"
_RETRY = "The service failed internally. Try again later."
_SLOW = "Too many requests at once; the default limit is 10 per second. Wait, then send fewer."
_ACTIVATE = (
    "Media processing is not switched on for {bucket}: call `lab.client.buckets.activate()` once, "
    "or bind the bucket in the console under Cloud Infinite."
)
_ROLE = (
    "Cloud Infinite reads and writes the bucket through the role CI_QCSRole: "
    "create it by opening the Cloud Infinite console once."
)
_OUTPUT = (
    "The service may not write to the output bucket. It must be in the same region, be activated for media processing, "
    "and allow CI_QCSRole."
)
_KIND = "The input is broken, or its format is not supported. Documented are mp4, mkv, flv, avi, ts and hls."
_INPUT = "Check the key of the input (no leading slash) and that the object is in this bucket."
_TOKEN = "The temporary credentials have expired. Fetch new ones; all three parts change together."  # noqa: S105

# The API page on error codes lists some codes by number only, without a status. For those, 400 follows
# ResourceNotFound, and 403 is for refusals by a limit or a state.
CODES: Final[dict[str, Code]] = {
    # Authentication
    "MissingAuthorization": Code(401, SignatureRefused, "The request was not signed.", 1012),
    "InvalidAuthorization": Code(401, SignatureRefused, _MISMATCH, 1013),
    "SignatureDoesNotMatch": Code(403, SignatureRefused, _MISMATCH),
    "SecretidNotExist": Code(401, UnknownKey, _KEY, 1019),
    "InvalidAccessKeyId": Code(403, UnknownKey, _KEY),
    "SignatureExpired": Code(401, ClockSkewed, _CLOCK, 1014),
    "RequestTimeTooSkewed": Code(403, ClockSkewed, _CLOCK),
    "Request has expired": Code(403, ClockSkewed, _CLOCK),
    "ExpiredToken": Code(400, SignatureRefused, _TOKEN),
    # Permissions
    "AccessDenied": Code(403, AccessDenied, _GRANT, 1018),
    "ResourceAccessDenied": Code(400, AccessDenied, _ROLE),
    "CIRoleNotExist": Code(400, AccessDenied, _ROLE),
    "NoProcessAuthority": Code(403, AccessDenied, _GRANT),
    "WriteTargetBucketDenied": Code(403, AccessDenied, _OUTPUT, 1124),
    # Missing things
    "NoSuchBucket": Code(404, NotFound, "A bucket name has the form name-1250000000, with the account number."),
    "NoSuchKey": Code(404, NotFound, "Keys are case-sensitive and have no leading slash."),
    "NoSuchResource": Code(404, NotFound),
    "NoSuchUpload": Code(404, NotFound, "The multipart upload was completed or aborted; start it again."),
    "NoSuchVersion": Code(404, NotFound),
    "NoSuchTagSet": Code(404, NotFound),
    "NoSuchCORSConfiguration": Code(404, NotFound),
    "NoSuchLifecycleConfiguration": Code(404, NotFound),
    "NoSuchWebsiteConfiguration": Code(404, NotFound),
    "NoSuchRefererConfiguration": Code(404, NotFound),
    "NoSuchEncryptionConfiguration": Code(404, NotFound),
    "NoSuchPolicy": Code(404, NotFound),
    "ReplicationConfigurationNotFoundError": Code(404, NotFound),
    "ResourceNotFound": Code(400, NotFound, _INPUT, 1103),
    "TemplateNotFound": Code(400, NotFound, "List the templates: each belongs to one bucket.", 1107),
    "QueueNotFound": Code(400, NotFound, "Leave QueueId out to use the bucket's media queue.", 1106),
    "InvalidUrl": Code(404, NotFound, "No call of the API has this method and path.", 1010),
    "AuditingJobNotFound": Code(404, NotFound),
    # Activation
    "MediaBucketUnBinded": Code(400, BucketNotActivated, _ACTIVATE, 1111),
    "MediaBucketAlreadyBinded": Code(403, hint="The bucket is already active; there is nothing to do."),
    "BucketAlreadyBinded": Code(403, hint="The bucket is already active; there is nothing to do.", number=1100),
    "BindedBucketNumLimit": Code(403, number=1109),
    # Arguments
    "InvalidArgument": Code(400, number=1015),
    "InvalidRequest": Code(400),
    "MissingContent": Code(400, number=1016),
    "InvalidContent": Code(400, number=1011),
    "InvalidContentType": Code(400, number=1021),
    "MissingContentLength": Code(411),
    "MissingRequestBodyError": Code(400),
    "MalformedXML": Code(400),
    "InvalidURI": Code(400),
    "InvalidHost": Code(400, number=1017),
    "InvalidBucketName": Code(400),
    "InvalidRegionName": Code(400),
    "InvalidObjectName": Code(400),
    "KeyTooLong": Code(400, hint="A key has at most 850 bytes of UTF-8."),
    "ResourceDownloadFailed": Code(400, hint=_INPUT),
    "ResourceNotSupported": Code(400, hint=_KIND),
    "TemplateNameDuplicate": Code(400, hint="Choose another name, or update the template that has it.", number=1112),
    "CreatedTemplateNumLimit": Code(403, number=1110),
    "QueueSaturated": Code(403, Throttled, "The queue is full: wait until jobs end."),
    "QueuePaused": Code(403, hint="Set the queue's State to Active."),
    "QueueNumLimit": Code(403, number=1145),
    "ActiveWorkflowForbiddenUpdate": Code(403, number=1114),
    "WorkFlowNumLimit": Code(403, number=1120),
    # Objects
    "BadDigest": Code(400, hint="The body was damaged in transit; send it again."),
    "InvalidDigest": Code(400),
    "InvalidSHA1Digest": Code(400, hint="The body was damaged in transit; send it again."),
    "InvalidTag": Code(400),
    "NotSupportedStorageClass": Code(400),
    "EntityTooLarge": Code(400, hint="One PUT can send at most 5 GB; use a multipart upload for larger objects."),
    "EntityTooSmall": Code(400),
    "EntitySizeNotMatch": Code(400),
    "IncompleteBody": Code(400, hint="The connection ended before the whole body arrived; send it again."),
    "InvalidPart": Code(400),
    "InvalidPartOrder": Code(400),
    "ListPartUploadIdIsEmpty": Code(400),
    "InvalidObjectState": Code(403, hint="The object is archived: restore it first."),
    "MethodNotAllowed": Code(405),
    "RestoreNonArchiveObject": Code(405, hint="Only archived objects need to be restored. Read the object directly."),
    "FileAlreadyExists": Code(409, hint="Choose another key, or leave out x-cos-forbid-overwrite."),
    "PathConflict": Code(409),
    "UploadConflict": Code(409),
    "BucketNotEmpty": Code(409),
    "BucketAlreadyExists": Code(409),
    "BucketAlreadyOwnedByYou": Code(409),
    "PreconditionFailed": Code(412),
    "InvalidRange": Code(416, hint="The range begins after the end of the object."),
    # Region, time, account
    "PermanentRedirect": Code(301, hint="The bucket is in another region: see the message."),
    "TemporaryRedirect": Code(307),
    "RequestTimeout": Code(400, hint="The body arrived too slowly; send it again."),
    "UserNetworkTooSlow": Code(400),
    "PaymentRequired": Code(402, hint="The quota is used up, or the account is in arrears."),
    "UnavailableForLegalReasons": Code(451, hint="The account is in arrears, or the content is blocked."),
    "DomainAuditFailed": Code(451),
    "SlowDown": Code(429, Throttled, _SLOW, 1020),
    "InternalError": Code(500, ServiceUnavailable, _RETRY, 1007),
    "InsufficientStorage": Code(507, hint="The disk of the embedded engine is full: free some space, then try again."),
    "TimeLimitExceeded": Code(400, hint="Raise the time limit of a call: `ci-notebook serve --call-limit S`."),
    "NotImplemented": Code(501, hint="The service does not support this call."),
    "ServiceUnavailable": Code(503, ServiceUnavailable, _RETRY),
}  # fmt: skip

# Errors of HEAD have no body, and the page of a proxy has no code: then the status decides.
CODE_OF_STATUS: Final[dict[int, str]] = {
    301: "PermanentRedirect", 307: "TemporaryRedirect", 400: "InvalidRequest", 401: "InvalidAuthorization",
    402: "PaymentRequired", 403: "AccessDenied", 404: "NoSuchResource", 405: "MethodNotAllowed",
    411: "MissingContentLength", 412: "PreconditionFailed", 413: "InvalidContent", 416: "InvalidRange",
    429: "SlowDown", 451: "UnavailableForLegalReasons", 500: "InternalError", 501: "NotImplemented",
}  # fmt: skip
