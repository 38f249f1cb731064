"""The verb `serve`: run the embedded engine on a port, alone or with a Dask cluster."""

from __future__ import annotations

import argparse
import contextlib
import os
import secrets
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ci_notebook._folders import absolute, private_home
from ci_notebook.cli.subprocess_server import port_number
from ci_notebook.client.connection.credentials import ID_VARIABLE, KEY_VARIABLE, TOKEN_VARIABLES
from ci_notebook.model.bounds import PIXELS, set_bounds
from ci_notebook.model.errors import EngineError, ParameterError
from ci_notebook.wire.secret import Secret

if TYPE_CHECKING:
    from ci_notebook.engine.jobs.dask_cluster import DaskCluster

GIB = 1 << 30


def add_serve(verbs: Any) -> None:
    """Add the verb to a parser's."""
    serve = verbs.add_parser("serve", help="run the embedded engine on a port")
    serve.add_argument("--root", type=Path, required=True, help="folder for objects and jobs; created if missing")
    serve.add_argument("--host", default="127.0.0.1", help="address to listen on (default: 127.0.0.1)")
    serve.add_argument("--port", type=port_number, default=9000, help="0 chooses a free port (default: 9000)")
    serve.add_argument(
        "--bucket", default="lab-1250000000", metavar="NAME-APPID", help="name of the bucket (default: lab-1250000000)"
    )
    serve.add_argument("--region", default="ap-chongqing", help="region of the bucket (default: ap-chongqing)")
    serve.add_argument("--workers", type=int, default=2, metavar="N", help="jobs that run at once (default: 2)")
    serve.add_argument(
        "--dask", metavar="tcp://HOST:PORT",
        help="run jobs on the workers of this Dask scheduler, one per thread; "
        "they must see ROOT under the same path",
    )  # fmt: skip
    serve.add_argument(
        "--time-limit", type=float, metavar="S",
        help="wall time limit of a job in seconds (default: ten minutes, plus ten for each second of its clip)",
    )  # fmt: skip
    serve.add_argument(
        "--call-limit", type=float, default=30.0, metavar="S",
        help="wall time limit of a media-info or snapshot call in seconds (default: 30)",
    )  # fmt: skip
    serve.add_argument("--disk-limit", type=_bytes, metavar="GIB", help="size limit of ROOT (default: no limit)")
    serve.add_argument(
        "--min-free",
        type=_bytes,
        default="0.25",
        metavar="GIB",
        help="free space to leave on the disk of ROOT (default: 0.25)",
    )
    serve.add_argument(
        "--max-pixels", type=int, metavar="N",
        help=f"limit of pixels of a frame or image (default: {PIXELS}, 8K)",
    )  # fmt: skip
    for name, kind, what, default in (
        ("frames", int, "limit of frames of a file", "1,000,000"),
        ("streams", int, "limit of streams of a file", "100"),
        ("seconds", float, "limit of the length of a file in seconds", "86400, a day"),
    ):
        letter = "S" if name == "seconds" else "N"
        serve.add_argument(f"--max-{name}", type=kind, metavar=letter, help=f"{what} (default: {default})")
    serve.add_argument(
        "--cache", "--kept", type=_bytes, metavar="GIB",
        help="size limit of the cache in ROOT/.cache; 0 switches it off "
        "(default: CI_NOTEBOOK_CACHE_BYTES, else 4 GB, or 0 under a --disk-limit)",
    )  # fmt: skip
    serve.add_argument(
        "--no-reuse", dest="reuse", action="store_false",
        help="render every output again, even if a job was done before "
        "(its expensive first stages still come from the cache)",
    )  # fmt: skip
    serve.set_defaults(run=_serve)


def _serve(args: argparse.Namespace) -> int:
    try:
        from ci_notebook.engine.limits import Limits  # lazy: the engine loads lxml, numpy and the server
        from ci_notebook.engine.server.listener import serve  # lazy: as above
    except ModuleNotFoundError as error:
        raise EngineError(
            f"The engine needs {error.name}. Install it: python -m pip install 'ci-notebook[local]'"
        ) from error

    set_bounds(
        pixels=args.max_pixels, frames=args.max_frames, streams=args.max_streams, seconds=args.max_seconds,
        names="--max-{}",
    )  # fmt: skip
    limits = Limits(time_s=args.time_limit, disk_bytes=args.disk_limit, free_bytes=args.min_free)
    with contextlib.ExitStack() as stack:
        cluster = _cluster(args.dask)
        if cluster is not None:
            stack.callback(cluster.close)
        keys = _keys()
        if not keys:
            return 1

        def listening(address: str) -> None:
            workers = f", jobs run on {cluster.address}" if cluster else ""
            print(
                f"Listening on {address} for bucket {args.bucket} in {args.region}{workers}; Ctrl-C stops.", flush=True
            )

        root = absolute(args.root.expanduser())
        try:
            private_home(root)
        except OSError as error:
            raise ParameterError.plain(
                f"--root: the folder {str(root)!r} cannot be used ({error.strerror}). Choose one that you can write to."
            ) from error
        serve(
            root, host=args.host, port=args.port, bucket=args.bucket, region=args.region, keys=keys,
            workers=args.workers, executor=cluster, limits=limits, reuse=args.reuse,
            cache_bytes=args.cache, call_limit_s=args.call_limit, on_listening=listening,
        )  # fmt: skip
    return 0


def _bytes(text: str) -> int:
    """Read a number of GiB."""
    try:
        return int(float(text) * GIB)
    except (ValueError, OverflowError):
        raise argparse.ArgumentTypeError(f"must be a number of GiB, such as 2.5 (got {text!r})") from None


def _cluster(address: str | None) -> DaskCluster | None:
    if not address:
        return None
    from ci_notebook.engine.jobs.dask_cluster import DaskCluster  # lazy: needs the extra `dask`

    return DaskCluster(address)


def _keys() -> dict[str, Secret]:
    """Return the keys of the environment, or new ones, which are printed; none if only one of the pair is set."""
    secret_id = os.environ.get(ID_VARIABLE, "")
    secret_key = os.environ.get(KEY_VARIABLE, "")
    if bool(secret_id) != bool(secret_key):
        missing = KEY_VARIABLE if secret_id else ID_VARIABLE
        print(f"ci-notebook: {missing} is not set; set both keys, or neither to generate a pair", file=sys.stderr)
        return {}
    if secret_id != secret_id.strip() or secret_key != secret_key.strip():
        print(f"ci-notebook: {ID_VARIABLE} or {KEY_VARIABLE} has a blank around it; remove the blank", file=sys.stderr)
        return {}
    if not secret_id:
        secret_id, secret_key = f"AKIDlocal{secrets.token_hex(12)}", secrets.token_hex(16)
        print("No keys are set. This pair was generated for this run and is shown only once:")
        print(f"  export {ID_VARIABLE}={secret_id}")
        print(f"  export {KEY_VARIABLE}={secret_key}", flush=True)
    for name in (ID_VARIABLE, KEY_VARIABLE, *TOKEN_VARIABLES):
        _forget(name)
    return {secret_id: Secret(secret_key)}


def _forget(name: str) -> None:
    """Remove a variable from the environment, also from the memory that Linux shows as `/proc/PID/environ`.

    Other programs of this account can read it there: that of this process, and of a child until it has loaded its
    own program. FFmpeg reads files that strangers have sent.
    """
    if sys.platform == "linux" and name in os.environ:
        import ctypes  # lazy: only here

        entries, number = ctypes.POINTER(ctypes.c_void_p).in_dll(ctypes.CDLL(None), "environ"), 0
        begin = f"{name}=".encode()
        while address := entries[number]:
            entry = ctypes.string_at(address)
            if entry.startswith(begin):
                ctypes.memset(address + len(begin), ord("-"), len(entry) - len(begin))
            number += 1
    os.environ.pop(name, None)
