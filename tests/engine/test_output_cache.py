"""A job that was done before is answered from what was kept; one that differs in anything is done."""

from __future__ import annotations

import pickle
from pathlib import Path

import pytest
from PIL import Image

from ci_notebook.client.connection.transport import WSGITransport
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.storage.cache import CacheOptions
from tests.engine_fixtures import BUCKET, COS_HOST, KEYS, MP4, REGION, Caller, job_body

SHARP = MP4 + "<MsSharpen><SharpenLevel>5</SharpenLevel></MsSharpen>"
MARK = (
    "<Watermark><Type>Image</Type><Pos>TopLeft</Pos><LocMode>Absolute</LocMode><Dx>0</Dx><Dy>0</Dy>"
    f"<Image><Url>http://{COS_HOST}/mark.png</Url><Mode>Original</Mode><Transparency>100</Transparency></Image></Watermark>"
)


@pytest.fixture
def call(call_in_process):
    return call_in_process


def done(call: Caller, body: bytes | None = None, setting: str = SHARP):
    answer = call("POST", "/jobs", body=body or job_body(setting))
    assert answer.status_code == 200, answer.text
    job = call.ended(answer.text.partition("<JobId>")[2].partition("</JobId>")[0])
    assert job.state == "Success", job
    return job


def stored(call: Caller, job) -> bytes:
    return call("GET", f"/{job.output_keys[0]}", host=COS_HOST).content


@pytest.mark.slow
def test_the_same_job_again_runs_no_ffmpeg_and_has_its_own_output(call, clip, programs):
    call.put("in.mp4", clip.read_bytes())
    first = done(call)
    assert programs() == 1
    second = done(call)
    assert programs() == 0
    assert second.output_keys == (f"out/{second.job_id}.mp4",) != first.output_keys
    assert stored(call, second) == stored(call, first)
    assert second.operation.media_info == first.operation.media_info
    files = [one.operation.media_result.output_file for one in (first, second)]
    assert files[0].md5_info[0].md5 == files[1].md5_info[0].md5
    assert second.progress == 100


@pytest.mark.slow
def test_it_holds_across_keys_buckets_engines_and_deleted_outputs(call, engine, clip, programs, tmp_path):
    call.put("in.mp4", clip.read_bytes())
    first = done(call)
    whole = stored(call, first)
    call("DELETE", f"/{first.output_keys[0]}", host=COS_HOST)
    call.put("other.mp4", clip.read_bytes())
    programs()
    assert stored(call, done(call, job_body(SHARP, key="other.mp4", output="again.mp4"))) == whole
    engine.close()
    with Engine(engine.root, bucket=BUCKET, region=REGION, keys=KEYS) as again:
        caller = Caller(WSGITransport(again.app))
        assert stored(caller, done(caller, job_body(SHARP, output="again.mp4"))) == whole
        caller.close()
    assert programs() == 0


@pytest.mark.slow
def test_other_bytes_under_the_same_key_are_another_job(call, make_clip, programs):
    call.put("in.mp4", make_clip().read_bytes())
    done(call)
    call.put("in.mp4", make_clip(seconds=0.5).read_bytes())
    programs()
    assert done(call).operation.media_info.format.duration < 0.7
    assert programs() == 1


@pytest.mark.slow
def test_other_values_are_another_job(call, clip, programs):
    call.put("in.mp4", clip.read_bytes())
    done(call)
    programs()
    done(call, setting=SHARP.replace(">5<", ">6<"))
    assert programs() == 1


@pytest.mark.slow
def test_another_picture_under_the_marks_address_is_another_job(call, clip, programs, tmp_path):
    call.put("in.mp4", clip.read_bytes())
    body = job_body(SHARP, operation=MARK)
    outputs = []
    for colour, expected in (("red", 1), ("blue", 1), ("red", 0)):
        Image.new("RGB", (16, 16), colour).save(tmp_path / "mark.png")
        call.put("mark.png", (tmp_path / "mark.png").read_bytes())
        programs()
        outputs.append(stored(call, done(call, body)))
        assert programs() == expected
    assert outputs[0] == outputs[2] != outputs[1]


@pytest.mark.slow
def test_segments_have_their_own_names(call, clip):
    call.put("in.mp4", clip.read_bytes())
    body = job_body(MP4.replace("mp4", "hls"), output="${jobid}/a.${ext}")
    first, second = done(call, body), done(call, body)
    assert len(second.output_keys) == len(first.output_keys) > 1
    assert not {key.rpartition("/")[2] for key in second.output_keys[1:]} & {
        key.rpartition("/")[2] for key in first.output_keys[1:]
    }
    assert second.output_keys[1].rpartition("/")[2].encode() in stored(call, second)


@pytest.mark.slow
def test_a_digital_watermark_of_a_reused_output_is_reported(call, make_clip, programs):
    call.put("in.mp4", make_clip(size="480x270").read_bytes())
    hide = "<DigitalWatermark><Message>k7</Message><Type>Text</Type><Version>V1</Version></DigitalWatermark>"
    first, second = (done(call, job_body(SHARP, operation=hide)) for _ in range(2))
    assert "read back" in (first.message or "")
    assert second.message == first.message
    assert second.operation.digital_watermark == first.operation.digital_watermark


@pytest.mark.slow
@pytest.mark.parametrize("options", [{"reuse": False}, {"cache_bytes": 0}])
def test_it_can_be_switched_off(tmp_path, clip, programs, options):
    with Engine(tmp_path / "engine", bucket=BUCKET, region=REGION, keys=KEYS, **options) as engine:
        caller = Caller(WSGITransport(engine.app))
        caller.put("in.mp4", clip.read_bytes())
        first, second = done(caller), done(caller)
        assert programs() == 2
        assert stored(caller, first) == stored(caller, second)
        caller.close()


@pytest.mark.slow
def test_the_cache_may_be_deleted_while_the_engine_runs(call, engine, clip, programs):
    call.put("in.mp4", clip.read_bytes())
    done(call)
    for entry in (engine.root / ".cache").iterdir():
        entry.unlink()
    done(call)
    assert programs() == 2


def test_a_wish_to_keep_can_be_pickled_for_an_executor():
    cache_options = CacheOptions(folder=Path("a"), limit_bytes=5, reuse=False)
    assert pickle.loads(pickle.dumps(cache_options)) == cache_options  # noqa: S301  our own
