"""Jobs and templates of the older kinds: SuperResolution, SDRtoHDR and VideoProcess, as the vendor's SDKs send them."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from qcloud_cos import CosConfig, CosS3Client, CosServiceError

from tests.engine_fixtures import BUCKET, REGION, SECRET_ID, SECRET_KEY, Caller

KEY = "demo.mp4"
OUTPUT = {"Bucket": BUCKET, "Region": REGION, "Object": "out/${jobid}.${ext}"}
ENCODING = {"Container": {"Format": "mp4"}, "Video": {"Codec": "H.264"}, "Audio": {"Codec": "aac"}}
TEN_BITS = {"Container": {"Format": "mp4"}, "Video": {"Codec": "H.265"}}
LARGER = {"Resolution": "sdtohd"}
COLOR = {"Enable": "true", "Contrast": "10", "Correction": "10", "Saturation": "10"}


@pytest.fixture
def sdk(served: str, clip: Path) -> CosS3Client:
    """The vendor's SDK, with a short clip uploaded."""
    config = CosConfig(
        Region=REGION, SecretId=SECRET_ID, SecretKey=SECRET_KEY, Scheme="http", KeepAlive=False,
        Proxies={"http": served},
    )  # fmt: skip
    client = CosS3Client(config, retry=0)
    client.put_object(Bucket=BUCKET, Body=clip.read_bytes(), Key=KEY)
    return client


def submit(sdk: CosS3Client, tag: str, operation: dict) -> dict:
    body = {"Input": {"Object": KEY}, "Tag": tag, "Operation": {"Output": OUTPUT, **operation}}
    reply = sdk.ci_create_media_jobs(Bucket=BUCKET, Jobs=body, Lst={}, ContentType="application/xml")
    return reply["JobsDetail"][0]


def refusal(sdk: CosS3Client, tag: str, operation: dict) -> str:
    with pytest.raises(CosServiceError) as error:
        submit(sdk, tag, operation)
    assert (error.value.get_error_code(), error.value.get_status_code()) == ("InvalidArgument", 400)
    return error.value.get_error_msg()


def ended(sdk: CosS3Client, job: dict) -> dict:
    for _ in range(1200):
        shown = sdk.ci_get_media_jobs(Bucket=BUCKET, JobIDs=job["JobId"])["JobsDetail"][0]
        if shown["State"] in ("Success", "Failed", "Cancel"):
            return shown
        time.sleep(0.05)
    raise AssertionError("the job did not end")


def video_of(job: dict) -> dict:
    return job["Operation"]["MediaInfo"]["Stream"]["Video"]


def encoding_template(sdk: CosS3Client, encoding: dict, name: str = "encoding") -> str:
    template = {"Tag": "Transcode", "Name": name, **encoding}
    return sdk.ci_create_template(Bucket=BUCKET, Template=template)["Template"]["TemplateId"]


# The vendor's demos


@pytest.mark.slow
def test_the_demo_of_super_resolution_runs_to_its_end(sdk):
    stage = {"Resolution": "sdtohd", "EnableScaleUp": "false"}
    template_id = encoding_template(sdk, ENCODING)
    job = submit(sdk, "SuperResolution", {"SuperResolution": stage, "TranscodeTemplateId": template_id})
    assert (job["Tag"], job["Operation"]["SuperResolution"]) == ("SuperResolution", stage)
    done = ended(sdk, job)
    assert done["State"] == "Success", done
    source = sdk.get_media_info(Bucket=BUCKET, Key=KEY)["MediaInfo"][0]["Stream"]["Video"]
    assert int(video_of(done)["Width"]) == 2 * int(source["Width"])
    assert done["Operation"]["SuperResolution"] == stage
    assert done["Operation"]["TranscodeTemplateId"] == template_id
    assert "VideoEnhance" not in done["Operation"]
    listed = sdk.ci_list_media_jobs(Bucket=BUCKET, Tag="SuperResolution")["JobsDetail"]
    assert [one["JobId"] for one in listed] == [job["JobId"]]
    assert "JobsDetail" not in sdk.ci_list_media_jobs(Bucket=BUCKET, Tag="VideoEnhance")


@pytest.mark.slow
@pytest.mark.parametrize(("mode", "transfer"), [("HLG", "arib-std-b67"), ("HDR10", "smpte2084")])
def test_the_demo_of_sdr_to_hdr_runs_to_its_end(sdk, mode, transfer):
    template_id = encoding_template(sdk, TEN_BITS)
    done = ended(sdk, submit(sdk, "SDRtoHDR", {"SDRtoHDR": {"HdrMode": mode}, "TranscodeTemplateId": template_id}))
    assert done["State"] == "Success", done
    assert video_of(done)["ColorTransfer"] == transfer
    assert done["Operation"]["SDRtoHDR"] == {"HdrMode": mode}


@pytest.mark.slow
def test_the_demo_of_video_process_does_what_the_same_stages_of_video_enhance_do(sdk):
    template_id = encoding_template(sdk, ENCODING)
    process = {"ColorEnhance": COLOR, "MsSharpen": {"Enable": "true", "SharpenLevel": "1"}}
    job = submit(sdk, "VideoProcess", {"VideoProcess": process, "TranscodeTemplateId": template_id})
    assert job["Operation"]["VideoProcess"] == process
    values = {name: value for name, value in COLOR.items() if name != "Enable"}
    same = submit(sdk, "VideoEnhance", {
        "VideoEnhance": {"Transcode": ENCODING, "ColorEnhance": values, "MsSharpen": {"SharpenLevel": "1"}},
    })  # fmt: skip
    sharp = {"MsSharpen": {"Enable": "true", "SharpenLevel": "1"}, "ColorEnhance": {**COLOR, "Enable": "false"}}
    less = submit(sdk, "VideoProcess", {"VideoProcess": sharp, "Transcode": ENCODING})
    results = [ended(sdk, one)["Operation"]["MediaResult"]["OutputFile"]["Md5Info"]["Md5"] for one in (job, same, less)]
    assert results[0] == results[1]
    assert results[2] != results[0], "a stage whose switch is off is off"


@pytest.mark.slow
def test_templates_of_a_stage_are_made_shown_and_used(sdk):
    encoding = encoding_template(sdk, ENCODING)
    stage = {"Resolution": "sdtohd", "EnableScaleUp": "true", "Version": "Enhance"}
    made = sdk.ci_create_template(Bucket=BUCKET, Template={"Tag": "SuperResolution", "Name": "larger", **stage})
    assert made["Template"]["SuperResolution"] == stage, "direct children in a request, wrapped in a reply"
    process = {"ColorEnhance": COLOR, "MsSharpen": {"Enable": "True", "SharpenLevel": ""}}
    other = sdk.ci_create_template(Bucket=BUCKET, Template={"Tag": "VideoProcess", "Name": "crisp", **process})
    shown = other["Template"]["VideoProcess"]
    assert shown["ColorEnhance"] == COLOR
    assert shown["MsSharpen"]["SharpenLevel"] is None, "an empty level is automatic"
    listed = sdk.ci_get_template(Bucket=BUCKET, Ids=other["Template"]["TemplateId"])["TemplateList"]
    assert listed[0]["VideoProcess"] == shown
    for tag, template in (("SuperResolution", made), ("VideoProcess", other)):
        ids = {"TemplateId": template["Template"]["TemplateId"], "TranscodeTemplateId": encoding}
        done = ended(sdk, submit(sdk, tag, ids))
        assert done["State"] == "Success", done
        assert done["Operation"]["TemplateName"] == template["Template"]["Name"]
        assert tag not in done["Operation"]
    with pytest.raises(CosServiceError) as error:
        submit(sdk, "VideoProcess", {"TemplateId": made["Template"]["TemplateId"], "TranscodeTemplateId": encoding})
    assert error.value.get_error_code() == "TemplateNotFound"


def test_the_demo_of_a_watermark_template_is_stored(sdk):
    watermark = {
        "Type": "Image", "LocMode": "Absolute", "Pos": "TopLeft", "StartTime": "", "EndTime": "",
        "SlideConfig": {"SlideMode": "Default", "XSlideSpeed": "0", "YSlideSpeed": "0"},
        "Image": {
            "Url": f"http://{BUCKET}.cos.{REGION}.myqcloud.com/watermark.png", "Mode": "Original", "Width": "",
            "Height": "", "Transparency": "30", "Background": "false",
        },
        "Text": {
            "Text": "test", "FontSize": "40", "FontType": "simfang.ttf", "FontColor": "0x123456", "Transparency": "30",
        },
    }  # fmt: skip
    made = sdk.ci_create_template(
        Bucket=BUCKET, Template={"Tag": "Watermark", "Name": "watermark_template", "Watermark": watermark}
    )
    assert made["Template"]["Watermark"]["Image"]["Mode"] == "Original"
    assert "Dx" not in made["Template"]["Watermark"]


@pytest.mark.slow
def test_the_demo_of_a_transcode_template_with_every_leaf_empty_is_stored_and_used(sdk):
    empty = dict.fromkeys((
        "Width", "Height", "Fps", "Bitrate", "Crf", "Gop", "Preset", "Bufsize", "Maxrate", "Pixfmt", "LongShortMode",
        "Rotate", "Crop", "HlsTsTime",
    ), "")  # fmt: skip
    template = {
        "Container": {"Format": "mp4", "ClipConfig": {"Duration": "5"}},
        "Video": {"Codec": "H.264", "Remove": "false", "Profile": "high", "Roi": "none", **empty},
        "Audio": dict.fromkeys(("Codec", "Samplerate", "Bitrate", "Channels", "Remove", "SampleFormat"), ""),
        "TimeInterval": {"Start": "", "Duration": ""},
        "TransConfig": {
            "AdjDarMethod": "", "IsCheckReso": "", "ResoAdjMethod": "", "DeleteMetadata": "", "IsHdr2Sdr": "",
            "TranscodeIndex": "", "HlsEncrypt": {"IsHlsEncrypt": "false", "UriKey": ""},
            "DashEncrypt": {"IsEncrypt": "false", "UriKey": ""},
        },
    }  # fmt: skip
    template_id = encoding_template(sdk, template)
    process = {"MsSharpen": {"Enable": "true", "SharpenLevel": ""}, "ColorEnhance": {"Enable": "", "Contrast": ""}}
    marks = {"WatermarkTemplateId": "", "TemplateId": "", "UserData": ""}
    done = ended(
        sdk, submit(sdk, "VideoProcess", {"VideoProcess": process, "TranscodeTemplateId": template_id, **marks})
    )
    assert done["State"] == "Success", done


# What is refused


@pytest.mark.parametrize(
    ("tag", "operation", "named"),
    [
        ("SuperResolution", {"SuperResolution": LARGER}, "Operation must be a node with Transcode or"),
        ("SuperResolution", {"Transcode": ENCODING}, "Operation must be a node with TemplateId or SuperResolution"),
        ("SuperResolution", {"Transcode": ENCODING, "SuperResolution": {"Resolution": "8k"}}, "sdtohd, hdto4k"),
        ("SDRtoHDR", {"Transcode": TEN_BITS, "SDRtoHDR": {"HdrMode": ""}}, "Operation.SDRtoHDR.HdrMode is missing"),
        ("SDRtoHDR", {"Transcode": TEN_BITS, "TemplateId": "t1"}, "Operation.TemplateId must be left out"),
        (
            "VideoProcess", {"Transcode": ENCODING, "VideoProcess": {"MsSharpen": {"Enable": "", "SharpenLevel": ""}}},
            "Operation.VideoProcess must be a node with a stage that is switched on",
        ),
        (
            "VideoProcess",
            {"Transcode": ENCODING, "VideoProcess": {"ColorEnhance": {**COLOR, "Contrast": "101"}}},
            "Operation.VideoProcess.ColorEnhance.Contrast must be 0 to 100 or AUTO",
        ),
        (
            "SuperResolution",
            {"Transcode": ENCODING, "SuperResolution": LARGER, "SDRtoHDR": {"HdrMode": "HLG"}},
            "Operation.SDRtoHDR must be left out with Tag SuperResolution",
        ),
        (
            "VideoEnhance", {"VideoEnhance": {"Transcode": ENCODING}, "SuperResolution": LARGER},
            "Operation.SuperResolution must be left out with Tag VideoEnhance",
        ),
        (
            "VideoEnhance", {"VideoEnhance": {"MsSharpen": ""}, "Transcode": ENCODING},
            "Operation.Transcode must be left out with Tag VideoEnhance",
        ),
    ],
)  # fmt: skip
def test_what_a_kind_of_job_does_not_take_is_refused_by_name(sdk, tag, operation, named):
    assert named in refusal(sdk, tag, operation)


@pytest.mark.parametrize(
    ("tag", "operation", "named"),
    [
        (
            "SuperResolution",
            {"Transcode": {**ENCODING, "Video": {"Codec": "H.264", "Roi": "low"}}, "SuperResolution": LARGER},
            "Transcode.Video.Roi low is not supported",
        ),
        (
            "VideoProcess",
            {"Transcode": ENCODING, "VideoProcess": {"MsSharpen": {"Enable": "true"}, "DeNoise": {"Enable": "true"}}},
            "Operation.VideoProcess.DeNoise is not supported",
        ),
        (
            "SDRtoHDR",
            {
                "Transcode": {"Container": {"Format": "WebM"}, "Video": {"Codec": "VP9"}},
                "SDRtoHDR": {"HdrMode": "HLG"},
            },
            "Transcode.Video.Codec VP9 cannot hold the ten bits",
        ),
    ],
)  # fmt: skip
def test_an_option_that_the_engine_does_not_have_fails_the_job_by_the_name_that_was_sent(sdk, tag, operation, named):
    done = ended(sdk, submit(sdk, tag, operation))
    assert (done["State"], done["Code"]) == ("Failed", "InvalidArgument")
    assert done["Message"].startswith(named), done["Message"]


def test_an_option_of_a_template_that_the_engine_does_not_have_is_refused_by_name(sdk):
    template = {"Tag": "SuperResolution", "Name": "odd", **LARGER, "Denoise": "3", "Sharpen": ""}
    template_id = sdk.ci_create_template(Bucket=BUCKET, Template=template)["Template"]["TemplateId"]
    assert f"Denoise of the template {template_id}" in refusal(
        sdk, "SuperResolution", {"TemplateId": template_id, "Transcode": ENCODING}
    )


# Spellings


def stage_body(operation: str) -> bytes:
    return (
        f"<Request><!-- sent by hand --><Operation><?keep it?>\n  <Output>\n<Object>out/${{jobid}}.mp4</Object>"
        f"<Bucket>{BUCKET}</Bucket><Region>{REGION}</Region></Output>{operation}</Operation>"
        f"<Input><Object>in.mp4</Object></Input><Tag>\n  VideoProcess\n</Tag><QueueId> </QueueId><CallBack/></Request>"
    ).encode()


@pytest.mark.slow
def test_blanks_comments_cdata_another_order_and_capitals_are_read_as_what_they_mean(
    call_in_process: Caller, clip: Path
):
    call_in_process.put("in.mp4", clip.read_bytes())
    operation = (
        "<Transcode><Video><Width><![CDATA[320]]></Width><Height>\n</Height><Fps> 2<!-- or 50 -->5 </Fps>"
        "<Remove>FALSE</Remove><Crop/><Crop> </Crop><Width/></Video>"
        "<Container><Format> mp4 </Format></Container><Subtitle/></Transcode>"
        "<VideoProcess><MsSharpen><SharpenLevel> </SharpenLevel><Enable>TRUE</Enable></MsSharpen></VideoProcess>"
    )
    answer = call_in_process("POST", "/jobs", body=stage_body(operation))
    assert answer.status_code == 200, answer.text
    assert b"<Enable>TRUE</Enable>" in answer.content, "the reply repeats the request as sent"
    job_id = answer.text.partition("<JobId>")[2].partition("<")[0]
    done = call_in_process.ended(job_id)
    assert done.state == "Success", done
    video = done.operation.media_info.stream.video[0]
    assert (video.width, video.fps) == (320, 25.0)


@pytest.mark.parametrize(
    ("operation", "named"),
    [
        (
            "<Transcode><Container><Format>mp4</Format></Container><Video><Width>320</Width><Width>640</Width></Video>"
            "</Transcode><VideoProcess><MsSharpen><Enable>true</Enable></MsSharpen></VideoProcess>",
            "Operation.Transcode.Video.Width",
        ),
        (
            "<Transcode><Container><Format>mp4</Format></Container></Transcode>"
            "<VideoProcess><MsSharpen><Enable>yes</Enable></MsSharpen></VideoProcess>",
            "Operation.VideoProcess.MsSharpen.Enable",
        ),
    ],
)  # fmt: skip
def test_a_leaf_with_two_values_or_another_word_is_refused_by_name(
    call_in_process: Caller, clip: Path, operation, named
):
    call_in_process.put("in.mp4", clip.read_bytes())
    answer = call_in_process("POST", "/jobs", body=stage_body(operation))
    assert answer.status_code == 400
    assert f"<Message>{named} must be" in answer.text


@pytest.mark.slow
def test_an_empty_node_that_may_be_a_misspelt_stage_is_refused_and_an_empty_leaf_is_not(
    call_in_process: Caller, clip: Path
):
    call_in_process.put("in.mp4", clip.read_bytes())
    misspelt = call_in_process.submit(
        "<Transcode><Container><Format>mp4</Format></Container><Video/></Transcode><MsSharpn/>"
    )
    assert "VideoEnhance.MsSharpn is not supported" in call_in_process.ended(misspelt.job_id).message
    leaf = "<Transcode><Container><Format>mp4</Format></Container><Video><StdExtInfo/></Video></Transcode><MsSharpen/>"
    assert call_in_process.ended(call_in_process.submit(leaf, operation="<FreeTranscode/>").job_id).state == "Success"
    spoken = leaf.replace("<StdExtInfo/>", "<StdExtInfo>1</StdExtInfo>")
    assert "Video.StdExtInfo is not supported" in call_in_process.ended(call_in_process.submit(spoken).job_id).message
