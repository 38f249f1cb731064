"""One job's request and reply, as our client, the official SDK and bare HTTP have them."""

from __future__ import annotations

import hashlib
import hmac
import time
from urllib.parse import quote

from lxml import etree

from ci_notebook.model.api.jobs import Input, JobsDetail, Request, Response
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.setting.enhance import ColorEnhance, FrameEnhance, MsSharpen, SuperResolution, VideoEnhance
from ci_notebook.model.setting.transcode import Audio, Container, Transcode, Video
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
