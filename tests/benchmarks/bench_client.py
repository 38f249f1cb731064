"""The client beside the official SDK and beside bare httpx and http.client: targets G2, G5, G6, G7 and G8.

    python -m tests.benchmarks.bench_client [calls]

Each figure is the least of several rounds, taken in turn, so that a busy machine is busy for all.
The service of G6 and G8 is a little server in a process of its own that answers every call alike,
so that CPU time is that of the client alone. Asserts nothing.
"""

from __future__ import annotations

import contextlib
import hashlib
import hmac
import http.client
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import NoReturn
from urllib.parse import quote

import httpx
import requests
import requests.adapters
from lxml import etree
from qcloud_cos import CosConfig, CosS3Client
from qcloud_cos.cos_auth import CosS3Auth

from ci_notebook.client.client import Client
from ci_notebook.client.credentials import Credentials
from ci_notebook.client.sending import Body
from ci_notebook.client.transport import AddressTransport, WSGITransport
from ci_notebook.engine.app import Engine
from ci_notebook.model.enhance import ColorEnhance, FrameEnhance, MsSharpen, SuperResolution, VideoEnhance
from ci_notebook.model.jobs import Input, JobsDetail, Request, Response
from ci_notebook.model.requests import enhance_request
from ci_notebook.model.rules import check
from ci_notebook.model.transcode import Audio, Container, Transcode, Video
from ci_notebook.wire import signing
from ci_notebook.wire.operations import CALL
from ci_notebook.wire.xml import dumps

BUCKET, REGION, ID, KEY = "lab-1250000000", "ap-chongqing", "AKIDbenchmark", "benchmarkbenchmark"
HOST = f"{BUCKET}.ci.{REGION}.myqcloud.com"
SETTING = VideoEnhance(
    transcode=Transcode(
        container=Container(format="mp4"),
        video=Video(codec="H.264", width=1280, fps=30, bitrate=1000),
        audio=Audio(codec="aac", samplerate=44100, bitrate=128, channels=2),
    ),
    super_resolution=SuperResolution(resolution="sdtohd", enable_scale_up=True, version="Base"),
    color_enhance=ColorEnhance(contrast=50, correction=100, saturation=100),
    ms_sharpen=MsSharpen(sharpen_level=5),
    frame_enhance=FrameEnhance(frame_doubling=True),
)
# The same for the official SDK: nested dicts of text.
SDK_SETTING = {
    "Transcode": {
        "Container": {"Format": "mp4"},
        "Video": {"Codec": "H.264", "Width": "1280", "Fps": "30", "Bitrate": "1000"},
        "Audio": {"Codec": "aac", "Samplerate": "44100", "Bitrate": "128", "Channels": "2"},
    },
    "SuperResolution": {"Resolution": "sdtohd", "EnableScaleUp": "true", "Version": "Base"},
    "ColorEnhance": {"Contrast": "50", "Correction": "100", "Saturation": "100"},
    "MsSharpen": {"SharpenLevel": "5"},
    "FrameEnhance": {"FrameDoubling": "true"},
}
SDK_JOB = {
    "Tag": "VideoEnhance",
    "Input": {"Object": "input/a.mp4"},
    "Operation": {
        "VideoEnhance": SDK_SETTING,
        "Output": {"Region": REGION, "Bucket": BUCKET, "Object": "output/a-${jobid}.${ext}"},
        "UserData": "run 1",
    },
}


def our_request() -> Request:
    """Return a request as a user makes it."""
    return enhance_request("input/a.mp4", SETTING, bucket=BUCKET, region=REGION, user_data="run 1")


BODY = dumps(our_request(), "Request")
REPLY = dumps(
    Response(
        request_id="NTk0MjdmODlfMjQ4OGY3XzYzYzhfMjc=",
        jobs_detail=(
            JobsDetail(
                code="Success", message="", job_id=f"j{'0' * 32}", state="Submitted", progress=0, tag="VideoEnhance",
                creation_time="2022-06-27T15:23:12+0800", start_time="-", end_time="-", queue_id=f"p{'1' * 32}",
                input=Input(bucket_id=BUCKET, object="input/a.mp4", region=REGION), operation=our_request().operation,
            ),
        ),
    ),
    "Response",
)  # fmt: skip


# The bare floor: what a careful script does by hand.


def sign_by_hand(method: str, path: str, headers: dict[str, str]) -> str:
    """Sign as §2 of the API says, and nothing else."""
    span = f"{int(time.time()) - 60};{int(time.time()) + 3600}"
    pairs = sorted((quote(name, safe="-_.~").lower(), quote(value, safe="-_.~")) for name, value in headers.items())
    listed = ";".join(name for name, _ in pairs)
    text = f"{method.lower()}\n{path}\n\n{'&'.join(f'{name}={value}' for name, value in pairs)}\n"
    sign_key = hmac.new(KEY.encode(), span.encode(), hashlib.sha1).hexdigest()
    to_sign = f"sha1\n{span}\n{hashlib.sha1(text.encode()).hexdigest()}\n"
    signature = hmac.new(sign_key.encode(), to_sign.encode(), hashlib.sha1).hexdigest()
    return (
        f"q-sign-algorithm=sha1&q-ak={ID}&q-sign-time={span}&q-key-time={span}&q-header-list={listed}"
        f"&q-url-param-list=&q-signature={signature}"
    )


def headers_by_hand() -> dict[str, str]:
    """Return the headers of a submission, signed by hand."""
    said = {"host": HOST, "content-length": str(len(BODY)), "content-type": "application/xml"}
    return {**said, "authorization": sign_by_hand("POST", "/jobs", said)}


def read_by_hand(reply: bytes) -> dict[str, str]:
    """Read every leaf of a reply into a dict by path."""
    found, stack = {}, [("", etree.fromstring(reply))]
    while stack:
        path, element = stack.pop()
        for child in element:
            if len(child):
                stack.append((f"{path}{child.tag}.", child))
            else:
                found[f"{path}{child.tag}"] = child.text or ""
    return found


# Rounds: each way once, again and again; the least of each counts.


def least_us(ways: dict[str, Callable[[], object]], calls: int, rounds: int = 7) -> dict[str, tuple[float, float]]:
    """Return CPU and wall time a call in microseconds, the least of the rounds, each way in turn."""
    best = dict.fromkeys(ways, (float("inf"), float("inf")))
    for way in ways.values():
        way()
    for _ in range(rounds):
        for name, way in ways.items():
            cpu, wall = time.process_time(), time.perf_counter()
            for _ in range(calls):
                way()
            spent = (time.process_time() - cpu) / calls * 1e6, (time.perf_counter() - wall) / calls * 1e6
            best[name] = min(best[name][0], spent[0]), min(best[name][1], spent[1])
    return best


def show(spent: dict[str, tuple[float, float]], floor: str) -> None:
    """Print a table of ways."""
    for name, (cpu, wall) in spent.items():
        ratio = f"{cpu / spent[floor][0]:5.2f} x floor"
        print(f"  {name:34s} {cpu:8.0f} us CPU {wall:8.0f} us wall {1e6 / wall:7.0f}/s   {ratio}")


# G2

SNIPPETS = {
    "floor: httpx, lxml and a client": "import httpx, lxml.etree; httpx.Client()",
    "official SDK": (
        "from qcloud_cos import CosConfig, CosS3Client; "
        "CosS3Client(CosConfig(Region='ap-chongqing', SecretId='a', SecretKey='b'))"
    ),
    "ours": (
        "from ci_notebook.client.client import Client; from ci_notebook.client.credentials import Credentials; "
        "Client('lab-1250000000', region='ap-chongqing', credentials=Credentials('AKIDa', 'bbbbbbbb'))"
    ),
}


def first_client() -> None:
    """Print the CPU time until there is a client, in fresh interpreters, less that of an empty one."""
    measure = "; import resource as r; u = r.getrusage(r.RUSAGE_SELF); print(u.ru_utime + u.ru_stime)"
    best = dict.fromkeys(["", *SNIPPETS], float("inf"))
    for _ in range(5):
        for name in best:
            code = (SNIPPETS.get(name) or "pass") + measure
            told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
            best[name] = min(best[name], float(told.stdout) * 1e3)
    print("G2: the first usable client, CPU beyond an empty interpreter")
    for name in SNIPPETS:
        print(f"  {name:34s} {best[name] - best['']:6.0f} ms")
    print(f"  -> {best['ours'] - best['']:.0f} ms (target 200)")


# G5


class Stopped(BaseException):
    """The official SDK has its request ready."""


class Stops(requests.adapters.BaseAdapter):
    """Where the official SDK's request would leave the process."""

    def send(self, *_: object, **__: object) -> NoReturn:
        """Stop it."""
        raise Stopped

    def close(self) -> None:
        """Nothing is open."""


def build_and_sign(calls: int) -> None:
    """Print what it costs to turn a setting into a signed request, and to sign alone."""
    client = Client(BUCKET, region=REGION, credentials=Credentials(ID, KEY))
    sdk = CosS3Client(CosConfig(Region=REGION, SecretId=ID, SecretKey=KEY), retry=0, session=requests.Session())
    sdk._session.mount("https://", Stops())
    request = our_request()
    url = f"https://{HOST}/jobs"
    said = {"host": HOST, "content-length": str(len(BODY)), "content-type": "application/xml"}
    secrets = {"secret_id": ID, "secret_key": KEY}

    def ours() -> None:
        body = Body.of(dumps(check(request), "Request"), "application/xml")
        client._sender._request(CALL["create_job"], {}, {}, {}, body)

    def theirs() -> None:
        with contextlib.suppress(Stopped):
            sdk.ci_create_media_jobs(Bucket=BUCKET, Jobs=SDK_JOB, Lst={})

    def floor() -> None:
        etree.tostring(etree.fromstring(BODY))  # a tree of that size, and its text
        httpx.Request("POST", url, headers=headers_by_hand(), content=BODY)

    def sign() -> None:
        signing.authorization(
            "POST", "/jobs", query={}, headers=said, key_time=signing.key_time(time.time()), **secrets
        )

    def sdk_sign() -> None:
        CosS3Auth(sdk._conf, "/jobs", {})(prepared)

    prepared = requests.Request("POST", url, data=BODY, headers=said).prepare()
    ways = {"floor: by hand": floor, "ours": ours, "official SDK": theirs, "signing alone, ours": sign,
            "signing alone, official SDK": sdk_sign}  # fmt: skip
    spent = least_us(ways, calls)
    print("G5: build and sign one request, inline form")
    show(spent, "floor: by hand")
    print(
        f"  -> {spent['ours'][0]:.0f} us (target 110), {spent['ours'][0] / spent['official SDK'][0]:.2f} x SDK (0.25);",
        end=" ",
    )
    print(f"signing {spent['signing alone, ours'][0]:.0f} us (20)")
    client.close()


# G6 and G8: a service in a process of its own that says the same to everybody.

SERVER = r"""
import socket, sys, threading
reply = sys.stdin.buffer.read()
answer = (b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: %d\r\n"
          b"x-ci-request-id: NTk0MjdmODlf\r\nServer: tencent-ci\r\n\r\n" % len(reply)) + reply

def talk(line):
    line.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    rest = b""
    while True:
        while b"\r\n\r\n" not in rest:
            more = line.recv(65536)
            if not more:
                return
            rest += more
        head, _, rest = rest.partition(b"\r\n\r\n")
        at = head.lower().find(b"content-length:")
        length = int(head[at + 15:].split(b"\r\n", 1)[0]) if at >= 0 else 0
        while len(rest) < length:
            rest += line.recv(65536)
        rest = rest[length:]
        line.sendall(answer)

door = socket.create_server(("127.0.0.1", 0))
print(door.getsockname()[1], flush=True)
while True:
    threading.Thread(target=talk, args=(door.accept()[0],), daemon=True).start()
"""


class Server:
    """The little server, while the block lasts."""

    def __enter__(self) -> int:
        self._process = subprocess.Popen([sys.executable, "-c", SERVER], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write(REPLY)
        self._process.stdin.close()
        return int(self._process.stdout.readline())

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        assert self._process.stdout
        self._process.stdout.close()


def clients(port: int) -> tuple[dict[str, Callable[[], object]], Client]:
    """Return the ways to submit over loopback, each signed and with its reply read."""
    client = Client(
        BUCKET, region=REGION, credentials=Credentials(ID, KEY), scheme="http",
        transport=AddressTransport(f"http://127.0.0.1:{port}"),
    )  # fmt: skip
    bare = httpx.Client()
    line = http.client.HTTPConnection("127.0.0.1", port)
    line.connect()
    line.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sdk = CosS3Client(
        CosConfig(Region=REGION, SecretId=ID, SecretKey=KEY, Scheme="http", IP="127.0.0.1", Port=port), retry=0
    )
    request = our_request()

    def by_hand() -> object:
        line.request("POST", "/jobs", BODY, headers_by_hand())
        return read_by_hand(line.getresponse().read())

    return {
        "floor: httpx": lambda: read_by_hand(
            bare.post(f"http://127.0.0.1:{port}/jobs", content=BODY, headers=headers_by_hand()).content
        ),
        "ours": lambda: client.submit(request),
        "official SDK": lambda: sdk.ci_create_media_jobs(Bucket=BUCKET, Jobs=SDK_JOB, Lst={}),
        "floor: http.client": by_hand,
    }, client


def over_loopback(calls: int) -> None:
    """Print one thread's submissions."""
    with Server() as port:
        ways, client = clients(port)
        spent = least_us(ways, calls)
        client.close()
    ours, sdk, bare = spent["ours"], spent["official SDK"], spent["floor: httpx"]
    print("G6: submit over loopback, signed, reply read, one thread")
    show(spent, "floor: httpx")
    print(f"  -> {sdk[1] / ours[1]:.2f} x SDK's rate (target 2), CPU {ours[0] / bare[0]:.2f} x bare httpx (1.15)")


def fan_out(calls: int) -> None:
    """Print eight threads on one client."""
    with Server() as port, ThreadPoolExecutor(8) as pool:
        ways, client = clients(port)
        del ways["floor: http.client"]  # one connection: no client for eight
        print("G8: eight threads on one client")
        best = dict.fromkeys(ways, 0.0)
        for _ in range(4):
            for name, way in ways.items():
                list(pool.map(lambda _, way=way: way(), range(16)))
                start = time.perf_counter()
                list(pool.map(lambda _, way=way: way(), range(calls)))
                best[name] = max(best[name], calls / (time.perf_counter() - start))
        client.close()
    for name, rate in best.items():
        print(f"  {name:34s} {rate:7.0f}/s")
    print(
        f"  -> {best['ours'] / best['official SDK']:.1f} x SDK, {best['ours'] / best['floor: httpx']:.2f} x bare httpx"
    )


# G7


def in_process(calls: int) -> None:
    """Print submissions into the embedded engine in this process, its workers held by a paused queue."""
    with tempfile.TemporaryDirectory() as folder:
        engine = Engine(folder, bucket=BUCKET, region=REGION, keys={ID: KEY}, workers=1)
        client = Client(
            BUCKET, region=REGION, credentials=Credentials(ID, KEY), transport=WSGITransport(engine.app), scheme="http"
        )
        with engine, client:
            client.upload(b"not looked at", "input/a.mp4")
            client.queues.pause(next(client.queues.list()))
            request = our_request()
            name = "ours, ledger's commit included"
            spent = least_us({name: lambda: client.submit(request)}, calls)
    print("G7: submit into the embedded engine in process")
    show(spent, name)
    print(f"  -> {1e6 / spent[name][1]:.0f}/s (target 1000)")


def main() -> None:
    """Print every table."""
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 300
    print(f"a body of {len(BODY)} bytes, a reply of {len(REPLY)}; {calls} calls a round")
    first_client()
    build_and_sign(calls)
    over_loopback(calls)
    in_process(calls)
    fan_out(calls)


if __name__ == "__main__":
    main()
