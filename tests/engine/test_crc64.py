"""The checksum that the vendor's SDK compares downloads with."""

import pytest
from crcmod import mkCrcFun
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree
from qcloud_cos import CosConfig, CosS3Client

from ci_notebook.engine.storage.crc64 import Crc64
from tests.engine_fixtures import BUCKET, COS_HOST, REGION, SECRET_ID, SECRET_KEY

# As the SDK makes it; it comes with the SDK.
reference = mkCrcFun(0x142F0E1EBA9EA3693, initCrc=0, xorOut=(1 << 64) - 1, rev=True)


@pytest.mark.slow
@given(pieces=st.lists(st.one_of(st.binary(max_size=50), st.integers(0, 40_000)), max_size=5))
def test_however_the_bytes_come_the_sum_is_that_of_the_sdk(pieces):
    data = [bytes(index * 7 & 0xFF for index in range(one)) if isinstance(one, int) else one for one in pieces]
    crc = Crc64()
    for piece in data:
        crc.update(piece)
    assert str(crc) == str(reference(b"".join(data)))


@pytest.mark.parametrize("size", [0, 1, 1023, 1024, 1025, 16384, 262144, 300000])
def test_at_the_edges_of_its_blocks_the_sum_is_that_of_the_sdk(size):
    data = bytes(range(251)) * (size // 251 + 1)
    assert str(Crc64(data[:size])) == str(reference(data[:size]))


def test_put_get_head_copy_and_parts_return_the_checksum(call):
    expected = str(reference(b"data"))
    assert call("PUT", "/a", body=b"data", host=COS_HOST).headers["x-cos-hash-crc64ecma"] == expected
    headers = {"x_cos_copy_source": f"{COS_HOST}/a", "x_cos_metadata_directive": "Replaced"}
    assert call("PUT", "/b", host=COS_HOST, **headers).status_code == 200
    started = call("POST", "/c", {"uploads": ""}, host=COS_HOST)
    upload_id = etree.fromstring(started.content).findtext("UploadId")
    tag = call("PUT", "/c", {"partNumber": "1", "uploadId": upload_id}, b"data", host=COS_HOST).headers["etag"]
    body = (
        f"<CompleteMultipartUpload><Part><PartNumber>1</PartNumber><ETag>{tag}</ETag></Part></CompleteMultipartUpload>"
    )
    assert call("POST", "/c", {"uploadId": upload_id}, body.encode(), host=COS_HOST).status_code == 200
    for key in "abc":
        for method in ("GET", "HEAD"):
            assert call(method, f"/{key}", host=COS_HOST).headers["x-cos-hash-crc64ecma"] == expected


@pytest.mark.slow
def test_the_sdk_checks_what_it_downloads(served, call_in_process, clip, tmp_path):
    call_in_process.put("in.mp4", clip.read_bytes())
    job = call_in_process.ended(call_in_process.submit().job_id)
    kind = {"Scheme": "http", "KeepAlive": False, "Proxies": {"http": served}}
    sdk = CosS3Client(CosConfig(Region=REGION, SecretId=SECRET_ID, SecretKey=SECRET_KEY, **kind), retry=0)
    for key in ("in.mp4", job.output_keys[0]):
        sdk.download_file(Bucket=BUCKET, Key=key, DestFilePath=str(tmp_path / "back.mp4"), EnableCRC=True)
    assert (tmp_path / "back.mp4").stat().st_size == job.operation.media_info.format.size
