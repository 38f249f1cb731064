"""The one tree of errors.

    CIError
    ├── ParameterError (ValueError)   a leaf or a rule refuses a value; nothing was sent
    ├── BudgetExceeded                the price is over the budget; nothing was sent
    ├── CredentialsError              no usable key was found; nothing was sent
    ├── ServiceError                  the service answered with an error body
    │     ├── AccessDenied, SignatureRefused, ClockSkewed, UnknownKey
    │     ├── BucketNotActivated, NotFound, Throttled, ServiceUnavailable
    │     └── (any other code stays a plain ServiceError)
    ├── SubmissionUnclear             the connection broke, and whether a job was made cannot be told
    ├── JobFailed                     a wait ended in Failed or Cancel; carries the job (in `model.jobs`)
    ├── WaitTimedOut (TimeoutError)   a wait took longer than it may; carries the job (in `model.jobs`)
    └── EngineError                   the embedded engine could not do it

Both ends share the tree: the engine raises the `ServiceError` that the client reads back.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self


class CIError(Exception):
    """Anything that ci_notebook itself refuses or reports."""


class ParameterError(CIError, ValueError):
    """A leaf or a rule refuses a value before anything is sent.

    `fix` is the remedy as something to do, where there is one: path → value that would mend it, beside
    `path` in the same tree. None leaves the leaf or node out; a node switches one on.

    >>> raise ParameterError("MsSharpen.SharpenLevel", 11, "0 to 10 or AUTO")
    Traceback (most recent call last):
    ...
    ci_notebook.model.errors.ParameterError: MsSharpen.SharpenLevel takes 0 to 10 or AUTO; got 11
    """

    def __init__(
        self, path: str, value: object, allowed: str, remedy: str = "", *, fix: Mapping[str, object] | None = None
    ) -> None:
        self.path, self.value, self.allowed, self.remedy = path, value, allowed, remedy
        self.fix = dict(fix or {})
        super().__init__(path, value, allowed, remedy)

    @classmethod
    def plain(cls, message: str) -> Self:
        """Return an error that says exactly `message`: for mistakes that no range of a parameter explains."""
        return cls("", None, message)

    def __str__(self) -> str:
        if not self.path:
            return self.allowed
        text = f"{self.path} takes {self.allowed}; got {_short(self.value)}"
        return f"{text}. {self.remedy}" if self.remedy else text


class BudgetExceeded(CIError):
    """The price of what was asked is over the budget; nothing was sent."""


class CredentialsError(CIError):
    """No usable key was found, or what was found contradicts itself. Never shows a value."""


class ServiceError(CIError):
    """The service answered with an error body.

    `code` and `message` are the service's own, `status` is HTTP's, `request_id` is what its
    support asks for, `hint` is the next step that we can suggest.
    """

    def __init__(
        self,
        code: str,
        message: str = "",
        *,
        status: int = 0,
        request_id: str = "",
        trace_id: str = "",
        resource: str = "",
        hint: str = "",
        retry_after_s: float | None = None,
    ) -> None:
        self.code, self.message, self.status = code, message, status
        self.request_id, self.trace_id, self.resource = request_id, trace_id, resource
        self.hint, self.retry_after_s = hint, retry_after_s
        super().__init__(code, message)

    def __str__(self) -> str:
        text = f"{self.code} ({self.status}): {self.message}" if self.status else f"{self.code}: {self.message}"
        if self.hint:
            text += f" Hint: {self.hint}"
        return f"{text} [request {self.request_id}]" if self.request_id else text


class AccessDenied(ServiceError):
    """The key is valid but may not do this; the hint names the actions to grant."""


class SignatureRefused(ServiceError):
    """The signature is missing, malformed or does not match: usually a wrong SecretKey."""


class ClockSkewed(SignatureRefused):
    """The signature is expired or not yet valid: usually this machine's clock."""


class UnknownKey(SignatureRefused):
    """The SecretId is not known to the service."""


class BucketNotActivated(ServiceError):
    """The bucket is not bound to media processing."""


class NotFound(ServiceError):
    """A bucket, object, template or queue does not exist."""


class Throttled(ServiceError):
    """Too many requests; `retry_after_s` says how long to wait when the service said so."""


class ServiceUnavailable(ServiceError):
    """The service failed for a reason of its own (5xx); asking again later may help."""


class SubmissionUnclear(CIError):
    """A POST broke off, and nothing tells whether the service made a job of it. Nothing was sent again."""


class EngineError(CIError):
    """The embedded engine could not do it. Carries the command and the log's last lines.

    `code` is what the job's `Code` will say.
    """

    def __init__(self, message: str, *, code: str = "InternalError", command: str = "", log: str = "") -> None:
        self.message, self.code, self.command, self.log = message, code, command, log
        super().__init__(message)

    def __str__(self) -> str:
        tail = f"\n{self.log}" if self.log else ""
        return f"{self.message}{tail}"


def _short(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 80 else f"{text[:77]}…"
