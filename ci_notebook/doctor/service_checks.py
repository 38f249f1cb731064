"""Checks of a bucket: connection, clock, keys, media processing, and the permission to list."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Final

from ci_notebook.client.connection.connectivity import Reach, reach
from ci_notebook.client.connection.credentials import Credentials, find_credentials
from ci_notebook.client.connection.transport import AddressTransport, Transport
from ci_notebook.doctor.findings import Finding, State
from ci_notebook.model.errors import (
    BucketNotActivated,
    ClockSkewed,
    CredentialsError,
    ServiceError,
    ServiceUnavailable,
    SignatureRefused,
    Throttled,
)

# A signature is valid from one minute before this machine's time to one hour after it.
_AHEAD_S, _BEHIND_S, _NOTICED_S = 60, -3600, 20
_LISTED: Final = {
    "list_objects": "objects", "list_queues": "queues", "list_jobs": "jobs", "list_templates": "templates",
}  # fmt: skip
_SUBMIT: Final = (
    "Not tried, because it costs money. It also needs ci:CreateMediaJobs, cam:PassRole, and cos:PutObject for the clip."
)


def look_at_service(
    bucket: str, region: str, *, endpoint: str | None = None, credentials: Credentials | None = None,
    transport: Transport | None = None, clock: Callable[[], float] = time.time,
) -> Iterator[Finding]:  # fmt: skip
    """Yield findings on a bucket, from calls that change nothing and cost nothing.

    Raises `ParameterError` for an impossible name of a bucket or region.
    """
    try:
        keys = credentials or find_credentials()
    except CredentialsError as refusal:
        yield Finding("Service", "keys", "problem", str(refusal), "Set the keys, then run the doctor again.")
        return
    route = transport or (AddressTransport(endpoint) if endpoint else None)
    reached = reach(
        bucket, region=region, credentials=keys, transport=route, scheme="http" if endpoint or transport else "https",
        clock=clock,
    )  # fmt: skip
    place = f"{bucket} in {region}" + (f" at {endpoint}" if endpoint else "")
    if reached.skew_s is None:
        yield _unreached(place, reached)
        return
    yield Finding("Service", "reach", "OK", f"{place} answers")
    yield _of_clock(reached.skew_s)
    reported: set[str] = set()
    for call, error in reached.answers.items():
        finding = _of_answer(_LISTED[call], error)
        if finding.state == "OK" or finding.detail not in reported:  # one wrong key gives one finding
            yield finding
        reported.add(finding.detail)
    if not any(reached.answers.values()):
        yield Finding("Service", "submitting", "OK", _SUBMIT)


def _unreached(place: str, reached: Reach) -> Finding:
    error = next(iter(reached.answers.values()))
    detail = f"{place} does not answer ({type(error).__name__}: {error})"
    remedy = "Check the network, the proxy (HTTPS_PROXY), the firewall, and the spelling of bucket and region."
    return Finding("Service", "reach", "problem", detail, remedy)


def _of_clock(skew_s: float) -> Finding:
    direction = "ahead of" if skew_s > 0 else "behind"
    detail = f"this machine is {abs(skew_s):.0f} s {direction} the service"
    remedy = "Set this machine's clock by the network (NTP)."
    if skew_s > _AHEAD_S or skew_s < _BEHIND_S:
        return Finding("Service", "clock", "problem", f"{detail}: it refuses every signature", remedy)
    if abs(skew_s) > _NOTICED_S:
        return Finding("Service", "clock", "warning", detail, remedy)
    return Finding("Service", "clock", "OK", detail if abs(skew_s) >= 2 else "agrees with the clock of the service")


def _of_answer(what: str, error: Exception | None) -> Finding:
    if error is None:
        return Finding("Service", what, "OK", "may be listed")
    if not isinstance(error, ServiceError):
        remedy = "The connection broke. Run the doctor again."
        return Finding("Service", what, "problem", f"{type(error).__name__}: {error}", remedy)
    reply = f"{error.code}: {error.message}" if error.message else error.code
    if isinstance(error, ClockSkewed):
        return Finding("Service", "signature", "problem", error.code, "Set this machine's clock by the network (NTP).")
    if isinstance(error, SignatureRefused):
        return Finding("Service", "keys", "problem", error.code, error.hint)
    if isinstance(error, BucketNotActivated):
        return Finding("Service", "media processing", "problem", reply, error.hint)
    state: State = "warning" if isinstance(error, Throttled | ServiceUnavailable) else "problem"
    return Finding("Service", what, state, reply, error.hint or f"Request {error.request_id or 'without an id'}.")
