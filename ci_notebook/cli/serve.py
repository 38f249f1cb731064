"""The verb `serve`: the embedded engine on a port, alone or with a Dask cluster behind it."""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ci_notebook.model.errors import EngineError

if TYPE_CHECKING:
    from ci_notebook.engine.jobs.dask_cluster import DaskCluster

GIB = 1 << 30


def add_serve(verbs: Any) -> None:
    """Add the verb to a parser's."""
    serve = verbs.add_parser("serve", help="put the embedded engine on a port")
    serve.add_argument("--root", type=Path, required=True, help="folder of objects and jobs; made when missing")
    serve.add_argument("--host", default="127.0.0.1")
    serve.add_argument("--port", type=int, default=9000, help="0 takes a free one (default: 9000)")
    serve.add_argument("--bucket", default="lab-1250000000", metavar="NAME-APPID")
    serve.add_argument("--region", default="ap-chongqing")
    serve.add_argument("--workers", type=int, default=2, metavar="N", help="jobs worked on at once (default: 2)")
    serve.add_argument(
        "--dask", metavar="tcp://HOST:PORT",
        help="let the workers of this Dask scheduler do the jobs, as many at once as they have threads; "
        "they must see ROOT under the same path",
    )  # fmt: skip
    serve.add_argument(
        "--time-limit", type=float, metavar="S",
        help="wall time a job may take (default: ten minutes, and ten for each second of its clip)",
    )  # fmt: skip
    serve.add_argument("--disk-limit", type=_bytes, metavar="GIB", help="what ROOT may hold (default: no limit)")
    serve.add_argument(
        "--min-free",
        type=_bytes,
        default="0.25",
        metavar="GIB",
        help="what must stay free on ROOT's disk (default: 0.25)",
    )
    serve.add_argument(
        "--cache", "--kept", type=_bytes, metavar="GIB",
        help="size limit of the cache in ROOT/.cache; 0 switches it off "
        "(default: CI_NOTEBOOK_CACHE_BYTES, else 4 GB, or 0 under a --disk-limit)",
    )  # fmt: skip
    serve.add_argument(
        "--no-reuse", dest="reuse", action="store_false",
        help="make each output anew, even where a job was done before (its dear first stages are taken over still)",
    )  # fmt: skip
    serve.set_defaults(run=_serve)


def _serve(args: argparse.Namespace) -> int:
    try:
        from ci_notebook.engine.limits import Limits  # lazy: the engine loads lxml, numpy and the server
        from ci_notebook.engine.server.listener import serve  # lazy: as above
    except ModuleNotFoundError as absent:
        raise EngineError(f"serving needs {absent.name}: python -m pip install 'ci-notebook[local]'") from absent

    limits = Limits(time_s=args.time_limit, disk_bytes=args.disk_limit, free_bytes=args.min_free)
    with contextlib.ExitStack() as ending:
        cluster = _cluster(args.dask)
        if cluster is not None:
            ending.callback(cluster.close)
        keys = _keys()
        if not keys:
            return 1

        def listening(address: str) -> None:
            behind = f", jobs done by {cluster.address}" if cluster else ""
            where = f"Listening on {address} for bucket {args.bucket} in {args.region}{behind}"
            print(f"{where}; Ctrl-C stops.", flush=True)

        serve(
            args.root, host=args.host, port=args.port, bucket=args.bucket, region=args.region, keys=keys,
            workers=args.workers, executor=cluster, limits=limits, reuse=args.reuse,
            cache_bytes=args.cache, on_listening=listening,
        )  # fmt: skip
    return 0


def _bytes(text: str) -> int:
    """Read a number of GiB."""
    try:
        return int(float(text) * GIB)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"takes a number of GiB, such as 2.5; got {text!r}") from None


def _cluster(address: str | None) -> DaskCluster | None:
    if not address:
        return None
    from ci_notebook.engine.jobs.dask_cluster import DaskCluster  # lazy: an extra of its own

    return DaskCluster(address)


def _keys() -> dict[str, str]:
    """Return the keys that are set, or some made up and shown this once; none when half of a pair is missing."""
    secret_id = os.environ.get("TENCENTCLOUD_SECRET_ID", "")
    secret_key = os.environ.get("TENCENTCLOUD_SECRET_KEY", "")
    if bool(secret_id) != bool(secret_key):
        missing = "TENCENTCLOUD_SECRET_KEY" if secret_id else "TENCENTCLOUD_SECRET_ID"
        print(f"ci-notebook: {missing} is not set; set both keys, or neither to have some made up", file=sys.stderr)
        return {}
    if not secret_id:
        secret_id, secret_key = f"AKIDlocal{secrets.token_hex(12)}", secrets.token_hex(16)
        print("No keys are set; these were made up for this run and are shown this once:")
        print(f"  export TENCENTCLOUD_SECRET_ID={secret_id}")
        print(f"  export TENCENTCLOUD_SECRET_KEY={secret_key}", flush=True)
    return {secret_id: secret_key}
