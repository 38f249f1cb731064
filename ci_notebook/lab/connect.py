"""`connect()`: return a lab on the embedded engine, or on the cloud.

Invariant: an argument that would have no effect is refused.
"""

from __future__ import annotations

import secrets
import sqlite3
import warnings
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from typing import Any, Final

from ci_notebook._folders import lab_home, private_home, unusable
from ci_notebook._machine_errors import own_error
from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials, find_credentials
from ci_notebook.client.connection.transport import AddressTransport, WSGITransport
from ci_notebook.experiment.pricing.price import EMBEDDED_BUCKET
from ci_notebook.lab.arguments import whole_number
from ci_notebook.lab.lab import Lab
from ci_notebook.model.bounds import set_bounds
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.keywords import checks_keywords

BUCKET, REGION = EMBEDDED_BUCKET, "ap-chongqing"
_WORKERS: Final = 2
_CALL_LIMIT_S: Final = 600.0  # nobody else waits for this process, and a long film on a slow disk takes minutes


@checks_keywords
def connect(
    bucket: str | None = None, *, region: str | None = None, credentials: Credentials | None = None,
    endpoint: str | None = None, home: Path | str | None = None, workers: int = _WORKERS,
    executor: Executor | Callable[[], Executor] | None = None, time_limit_s: float | None = None,
    disk_limit_bytes: int | None = None, min_free_bytes: int | None = None, cache_bytes: int | None = None,
    reuse: bool | None = None, kept_bytes: int | None = None, max_pixels: int | None = None,
    max_frames: int | None = None, max_streams: int | None = None, max_seconds: float | None = None,
) -> Lab:  # fmt: skip
    """Return a lab: on the embedded engine without arguments, on the cloud with a bucket.

    A bucket needs its `region` (`ap-chongqing`). Keys come from `credentials`, or from the places that
    `Credentials` lists. `endpoint` sends every call to one address instead of the cloud, such as that of
    `ci-notebook serve` (`http://127.0.0.1:9000`). `home` is the folder of the engine's store, the journal and
    downloads: by default `CI_NOTEBOOK_HOME`, else a folder in the user's data directory. A relative one belongs to
    the current folder of this call; `os.chdir` does not move the lab.

    `max_pixels` is how many pixels a frame may have wherever this process decodes one, for jobs, previews,
    frames and scores: 35,651,584 by default, which is 8K. A file may have `max_frames` frames (1,000,000),
    `max_streams` streams (100) and a length of `max_seconds` (86,400). Decoding belongs to the process, so each of
    these four is that of the call that gave it last, for every lab of the process. A watermark image may have
    4096x4096 px.

    The other arguments belong to the embedded engine, and are refused with a bucket. `workers` is how many jobs
    run at once: in this process, or in those of `executor`, any `concurrent.futures.Executor` or a function that
    returns one (it is called again when the executor breaks). Its processes must see `home` under the same path.
    A job fails, with the reason, if it runs longer than `time_limit_s` (by default ten minutes, plus ten for each
    second of the clip), if the engine's folder would grow beyond `disk_limit_bytes` (by default no limit), or if
    less than `min_free_bytes` would stay free on the disk (by default 256 MiB). Outputs and expensive
    intermediate results are cached up to `cache_bytes` (by default CI_NOTEBOOK_CACHE_BYTES, else 4 GB, or none with
    a `disk_limit_bytes`; 0 caches nothing). Unless `reuse` is False, a job that was done before is answered from
    the cache; the bytes are the same. `kept_bytes` is the old name of `cache_bytes`, for one more version.

    Raises `ParameterError`, and `CredentialsError` when there is no usable key.

    >>> import ci_notebook as ci
    >>> ci.connect()
    Lab('lab-1250000000', region='ap-chongqing', engine='embedded')
    """
    _check_types(bucket, credentials, endpoint, home)
    if kept_bytes is not None:
        warnings.warn("connect(kept_bytes=…) is now connect(cache_bytes=…).", DeprecationWarning, stacklevel=3)
        cache_bytes = kept_bytes if cache_bytes is None else cache_bytes
    set_bounds(pixels=max_pixels, frames=max_frames, streams=max_streams, seconds=max_seconds)
    folder = lab_home(home)
    options = {
        "executor": executor, "time_limit_s": time_limit_s, "disk_limit_bytes": disk_limit_bytes,
        "min_free_bytes": min_free_bytes, "cache_bytes": cache_bytes, "reuse": reuse,
    }  # fmt: skip
    given = {name: value for name, value in options.items() if value is not None}
    if bucket is None:
        for name, value in (("endpoint", endpoint), ("credentials", credentials)):
            if value is not None:
                raise ParameterError.plain(
                    f"{name} needs a bucket: ci.connect(bucket, region=…, {name}=…). "
                    "Without a bucket the lab is the embedded engine."
                )
        return _embedded(folder, region or REGION, whole_number("workers", workers), given)
    if workers != _WORKERS:
        given["workers"] = workers
    for name in given:
        raise ParameterError.plain(f"{name} belongs to the embedded engine: leave it out when you pass a bucket.")
    if not region:
        raise ParameterError.plain(
            f"A bucket needs its region: ci.connect({bucket!r}, region='ap-chongqing'), for example."
        )
    keys = credentials or find_credentials()
    transport = AddressTransport(endpoint) if endpoint else None
    scheme = "http" if endpoint else "https"
    client = Client(bucket, region=region, credentials=keys, transport=transport, scheme=scheme)
    return _in_folder(folder, lambda: Lab(client, home=folder))


def _check_types(bucket: object, credentials: object, endpoint: object, home: object) -> None:
    if bucket is not None and not isinstance(bucket, str):
        raise ParameterError("bucket", bucket, "the name of a bucket with its APPID, such as name-1250000000")
    if endpoint is not None and not isinstance(endpoint, str):
        raise ParameterError("endpoint", endpoint, "an address such as http://127.0.0.1:9000")
    if credentials is not None and not isinstance(credentials, Credentials):
        # The value may be a key, so the message does not show it.
        raise ParameterError.plain("credentials must be a ci.Credentials(secret_id, secret_key).")
    if home is not None and not isinstance(home, str | Path):
        raise ParameterError("home", home, "the path of a folder")


def _embedded(home: Path, region: str, workers: int, options: dict[str, Any]) -> Lab:
    from ci_notebook.engine.engine import Engine  # lazy: the thin client installs without numpy and PyAV

    executor = options.get("executor")
    if executor is not None and not isinstance(executor, Executor) and not callable(executor):
        raise ParameterError(
            "executor", executor, "a concurrent.futures.Executor, or a function that returns one",
            "For Dask, pass ci.DaskCluster(address).",
        )  # fmt: skip
    # Keys for this session only: nobody else can reach the engine, so they are not stored.
    keys = Credentials(f"AKIDlocal{secrets.token_hex(12)}", secrets.token_hex(16))

    def lab() -> Lab:
        engine = Engine(
            home / "engine", bucket=BUCKET, region=region, keys={keys.secret_id.reveal(): keys.secret_key},
            workers=workers, call_limit_s=_CALL_LIMIT_S, **options,
        )  # fmt: skip
        engine.start()
        client = Client(
            BUCKET, region=region, credentials=keys, transport=WSGITransport(engine.app), scheme="http",
            new_pause=engine.end_signal.new_pause,
        )  # fmt: skip
        return Lab(client, home=home, engine=engine)

    return _in_folder(home, lab)


def _in_folder(home: Path, make: Callable[[], Lab]) -> Lab:
    """Return the lab that `make` builds in `home`.

    Raises `ParameterError` if the folder cannot be used, and `EngineError` if the engine's ledger is damaged.
    """
    try:
        private_home(home)
        return make()
    except OSError as error:
        raise unusable(home, error) from error
    except sqlite3.Error as error:
        raise own_error(error, home / "engine" / "ledger.sqlite") from error  # the journal names itself
