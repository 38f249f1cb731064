"""All exceptions of the package, in one tree.

    CIError
    ├── ParameterError (ValueError)   the caller can fix it; nothing was sent
    │     └── MissingFile (FileNotFoundError)
    ├── BudgetExceeded                the price is over the budget; nothing was sent
    ├── CredentialsError              no usable credentials were found; nothing was sent
    ├── ServiceError                  the service answered with an error body
    │     ├── AccessDenied, SignatureRefused, ClockSkewed, UnknownKey
    │     ├── BucketNotActivated, NotFound, Throttled, ServiceUnavailable
    │     └── (any other code is a plain ServiceError)
    ├── SubmissionUnclear             the connection broke, and it is not known whether a job was created
    ├── JobFailed                     a wait ended in Failed or Cancel; carries the job (in `model.api.jobs`)
    ├── WaitTimedOut (TimeoutError)   a wait reached its timeout; carries the job (in `model.api.jobs`)
    └── EngineError                   the embedded engine could not do it: this machine, or a bug

Client and engine share the tree: the client reads back the `ServiceError` that the engine raised.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Self


class CIError(Exception):
    """Base class of all errors that ci_notebook raises itself."""


class ParameterError(CIError, ValueError):
    """A mistake that the caller can fix, found before anything is sent.

    The constructor is for a parameter of the API with a value that is not allowed; `plain` is for any
    other mistake. `fix` maps paths to the values that would solve the problem, in the same tree as
    `path`. None removes the leaf or node; a node switches one on.

    >>> raise ParameterError("MsSharpen.SharpenLevel", 11, "0 to 10 or AUTO")
    Traceback (most recent call last):
    ...
    ci_notebook.model.errors.ParameterError: MsSharpen.SharpenLevel must be 0 to 10 or AUTO (got 11).
    """

    def __init__(
        self, path: str, value: object, allowed: str, remedy: str = "", *, fix: Mapping[str, object] | None = None
    ) -> None:
        self.path, self.value, self.allowed, self.remedy = path, value, allowed, remedy
        self.fix = dict(fix or {})
        super().__init__(path, value, allowed, remedy)

    @classmethod
    def plain(cls, message: str) -> Self:
        """Return an error that says exactly `message`, for a mistake that is not a parameter's value."""
        return cls("", None, message)

    def __str__(self) -> str:
        if not self.path:
            return self.allowed
        if self.value is None:
            text = f"{self.path} is missing; it must be {self.allowed}."
        else:
            text = f"{self.path} must be {self.allowed} (got {_short(self.value)})."
        return f"{text} {self.remedy}" if self.remedy else text


class MissingFile(ParameterError, FileNotFoundError):
    """There is no file of this name. `filename` is the path."""

    @classmethod
    def at(cls, path: object) -> Self:
        """Return the error for a path."""
        error = cls.plain(f"There is no file {str(path)!r}. Check the name, and the folder that it is relative to.")
        error.filename = str(path)
        return error


class BudgetExceeded(CIError):
    """The price of the request is over the budget; nothing was sent."""


class CredentialsError(CIError):
    """No usable credentials were found, or a source contradicts itself. The text never shows a value."""


class ServiceError(CIError):
    """The service answered with an error body.

    `code` and `message` come from the service and `status` from HTTP. The vendor's support asks for
    `request_id`. `hint` suggests the next step.
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
    """The credentials are valid but lack a permission; the hint names the actions to grant."""


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
    """The service failed internally (5xx); a later retry may help."""


class SubmissionUnclear(CIError):
    """A POST broke off, and it is not known whether the service created a job. Nothing was sent again."""


class EngineError(CIError):
    """The embedded engine could not do it: this machine, or a bug. Carries the command and the last log lines.

    `code` becomes the `Code` of the job.
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
