"""`ci.doctor()`: look at everything, say what is wrong and what to do."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path

import platformdirs

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
    """Look at packages, FFmpeg, disk, front ends and keys, and with a bucket at the service; return what was found.

    Nothing is changed and nothing costs money. `region`, `endpoint`, `credentials` and `home` are those
    of `connect`. In a notebook the report shows as a table; no key is in it. Takes about a second.

    >>> import ci_notebook as ci
    >>> [one.state for one in ci.doctor() if one.name == "encoders"]
    ['OK']

    Raises `ParameterError` for a bucket without a region, and for names that none has.
    """
    place = Path(home or os.environ.get("CI_NOTEBOOK_HOME") or platformdirs.user_data_path("ci_notebook"))
    found = [*look_at_packages(), *look_at_ffmpeg(), look_at_disk(place), *look_at_front_ends(), look_at_keys()]
    if bucket is not None:
        if not region:
            raise ParameterError("region", region, "the region of the bucket, such as ap-chongqing")
        found += look_at_service(bucket, region, endpoint=endpoint, credentials=credentials, clock=clock)
    return Report(found)
