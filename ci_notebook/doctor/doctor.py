"""`ci.doctor()`: run all checks and report what is wrong and how to fix it."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.doctor.findings import Report
from ci_notebook.doctor.machine import look_at_disk, look_at_ffmpeg, look_at_keys
from ci_notebook.doctor.packages import look_at_front_ends, look_at_packages
from ci_notebook.doctor.service_checks import look_at_service
from ci_notebook.model.errors import ParameterError


def doctor(
    bucket: str | None = None, *, region: str | None = None, endpoint: str | None = None,
    credentials: Credentials | None = None, home: Path | str | None = None, clock: Callable[[], float] = time.time,
) -> Report:  # fmt: skip
    """Check packages, FFmpeg, disk, front ends and keys, and with a bucket the service; return a report.

    It changes nothing and costs nothing. `region`, `endpoint`, `credentials` and `home` are as for `connect`.
    In a notebook the report shows as a table, and it holds no key. It takes about a second.

    >>> import ci_notebook as ci
    >>> [one.state for one in ci.doctor() if one.name == "encoders"]
    ['OK']

    Raises `ParameterError` for a bucket without a region, and for an impossible name of a bucket or region.
    """
    findings = [*look_at_packages(), *look_at_ffmpeg(), look_at_disk(home), *look_at_front_ends(), look_at_keys()]
    if bucket is not None:
        if not region:
            raise ParameterError.plain(
                f"A bucket needs its region: ci.doctor({bucket!r}, region='ap-chongqing'), for example."
            )
        findings += look_at_service(bucket, region, endpoint=endpoint, credentials=credentials, clock=clock)
    return Report(findings)
