"""`connect()`: a lab on the embedded engine, or on the cloud."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

import platformdirs

from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials, find_credentials
from ci_notebook.client.connection.transport import AddressTransport, WSGITransport
from ci_notebook.lab.lab import Lab
from ci_notebook.model.errors import ParameterError

# The embedded engine's bucket. The APPID is the one of the API's own examples.
BUCKET, REGION = "lab-1250000000", "ap-chongqing"


def connect(
    bucket: str | None = None, *, region: str | None = None, credentials: Credentials | None = None,
    endpoint: str | None = None, home: Path | str | None = None, workers: int = 2,
    executor: Executor | Callable[[], Executor] | None = None, time_limit_s: float | None = None,
    disk_limit_bytes: int | None = None, min_free_bytes: int | None = None, cache_bytes: int | None = None,
    reuse: bool | None = None,
) -> Lab:  # fmt: skip
    """Return a lab: on the embedded engine without arguments, on the cloud with a bucket.

    `region` is required with a bucket (`ap-chongqing`). Keys come from `credentials` or from where
    `Credentials` are looked for. `endpoint` sends everything to one address instead of the cloud's,
    such as that of `ci-notebook serve` (`http://127.0.0.1:9000`). `home` holds the engine's store,
    the journal and what was downloaded; by default `CI_NOTEBOOK_HOME`, else a folder of the user's
    own.

    The rest is about the embedded engine, and refused with a bucket. `workers` is how many jobs it
    works on at once: in this process, or in those of `executor`, any `concurrent.futures.Executor`
    or a function that makes one (and makes another when it broke); its processes see `home` under
    the same path. A job that takes more than `time_limit_s` of wall time (by default ten minutes,
    and ten for each second of the clip), that would have the engine's folder hold more than
    `disk_limit_bytes` (by default no limit) or leave less than `min_free_bytes` free on its disk
    (by default 256 MiB) has failed, with the reason. What was dear to make, and what jobs made, is
    kept up to `cache_bytes` (by default CI_NOTEBOOK_CACHE_BYTES of the environment, else 4 GB, or none
    under a `disk_limit_bytes`; 0 keeps nothing), and unless `reuse` is False a job that was done
    before is answered from there; the bytes are the same.

    Raises `ParameterError`, and `CredentialsError` when there is no usable key.

    >>> import ci_notebook as ci
    >>> ci.connect()
    Lab('lab-1250000000', region='ap-chongqing', engine='embedded')
    """
    place = Path(home or os.environ.get("CI_NOTEBOOK_HOME") or platformdirs.user_data_path("ci_notebook"))
    about = {
        "executor": executor, "time_limit_s": time_limit_s, "disk_limit_bytes": disk_limit_bytes,
        "min_free_bytes": min_free_bytes, "cache_bytes": cache_bytes, "reuse": reuse,
    }  # fmt: skip
    ours = {name: value for name, value in about.items() if value is not None}
    if bucket is None:
        return _embedded(place, region or REGION, workers, **ours)
    for name, value in ours.items():
        raise ParameterError(name, value, "no value when there is a bucket", "It is about the embedded engine.")
    if not region:
        raise ParameterError(
            "region", region, "the region of the bucket, such as ap-chongqing", "connect(bucket, region=…)"
        )
    keys = credentials or find_credentials()
    transport = AddressTransport(endpoint) if endpoint else None
    scheme = "http" if endpoint else "https"
    return Lab(Client(bucket, region=region, credentials=keys, transport=transport, scheme=scheme), home=place)


def _embedded(home: Path, region: str, workers: int, **more: Any) -> Lab:
    from ci_notebook.engine.engine import Engine  # lazy: the thin client installs without numpy and PyAV

    # Keys of one session: nobody else can reach the engine, and nothing needs to remember them.
    keys = Credentials(f"AKIDlocal{secrets.token_hex(12)}", secrets.token_hex(16))
    engine = Engine(
        home / "engine", bucket=BUCKET, region=region, keys={keys.secret_id: keys.secret_key}, workers=workers, **more
    )
    engine.start()
    client = Client(BUCKET, region=region, credentials=keys, transport=WSGITransport(engine.app), scheme="http")
    return Lab(client, home=home, engine=engine)
