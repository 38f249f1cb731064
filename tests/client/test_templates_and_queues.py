"""Templates, queues and activation."""

from __future__ import annotations

import pytest

from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.errors import BucketNotActivated, NotFound, ParameterError
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from ci_notebook.model.setting.transcode import Container, Transcode, Video
from ci_notebook.model.setting.watermark import Text, Watermark
from tests.client.fake_cloud import BUCKET, REGION

SETTING = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))
TEXT = Text(text="demo", font_size=30, font_type="simhei.ttf", font_color="0xFFFFFF", transparency=30)
MARK = Watermark(type="Text", pos="TopRight", loc_mode="Absolute", dx=16, dy=16, text=TEXT)
ENCODING = Transcode(container=Container(format="mp4"), video=Video(codec="H.264", width=1280))


def test_a_setting_is_stored_and_comes_back(client):
    made = client.templates.create("soft", SETTING)
    assert client.templates.get(made.template_id)[0].video_enhance == SETTING
    changed = client.templates.update(made.template_id, "hard", VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=9)))
    assert (changed.name, changed.video_enhance.ms_sharpen.sharpen_level) == ("hard", 9)
    client.templates.delete(made.template_id)
    with pytest.raises(NotFound, match=made.template_id):
        client.templates.get(made.template_id)


def test_a_template_is_named_by_its_id_or_by_itself(client):
    made = client.templates.create("again", SETTING)
    assert client.templates.get(made)[0].template_id == made.template_id
    assert client.templates.update(made, "twice", SETTING).name == "twice"
    client.templates.delete(made)
    with pytest.raises(NotFound, match=made.template_id):
        client.templates.get(made)
    with pytest.raises(ParameterError, match="named by its id"):
        client.templates.delete(None)


def test_a_space_in_a_name_becomes_an_allowed_character(client):
    made = client.templates.create("soft skin", SETTING)
    assert (made.name, made.setting) == ("soft_skin", SETTING)


def test_watermarks_and_encodings_are_templates_too(client):
    assert client.templates.create("corner", MARK).watermark == MARK
    assert client.templates.create("h264", ENCODING).trans_tpl.video == ENCODING.video


def test_an_invalid_template_is_refused(client, cloud):
    with pytest.raises(ParameterError, match=r"TemplateRequest.Name must be at most 64 characters"):
        client.templates.create("two/words", SETTING)
    with pytest.raises(ParameterError, match="A template stores a VideoEnhance, a Watermark or a Transcode, not"):
        client.templates.create("x", MsSharpen(sharpen_level=5))
    assert cloud.calls == []


def test_templates_are_listed_page_by_page(client):
    made = [client.templates.create(f"t{number}", SETTING).template_id for number in range(5)]
    assert [one.template_id for one in client.templates.list(tag="VideoEnhance")] == made


def test_a_queue_is_paused_and_resumed(client):
    queue = next(client.queues.list())
    paused = client.queues.pause(queue)
    assert (paused.state, paused.name) == ("Paused", "queue-1")
    assert client.queues.get("p1").state == "Paused"
    assert client.queues.resume(paused).state == "Active"
    with pytest.raises(NotFound, match="p9"):
        client.queues.get("p9")


def test_a_bucket_that_is_not_active_says_how_to_activate_it(client, cloud):
    cloud.is_active = False
    request = enhance_request("a.mp4", SETTING, bucket=BUCKET, region=REGION)
    with pytest.raises(BucketNotActivated, match=r"client\.buckets\.activate\(\)"):
        client.submit(request)
    assert client.buckets.activate().bucket_id == BUCKET
    assert client.activate().bucket_id == BUCKET
    assert client.submit(request).state == "Submitted"


def test_buckets_are_listed_on_the_host_of_the_region(client, cloud):
    assert [one.bucket_id for one in client.buckets.list()] == [BUCKET]
    assert cloud.headers["host"] == "ci.ap-chongqing.myqcloud.com"
    client.buckets.deactivate()
    assert not cloud.is_active
