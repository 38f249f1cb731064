"""The vendor's own SDK, unmodified, against the engine on a port. It judges; our client does not."""

import time

import pytest
from qcloud_cos import CosConfig, CosS3Client, CosServiceError

from ci_notebook.engine.faults import HangUp, ServerError, Throttle, TimeOut
from ci_notebook.media.ffmpeg import run
from tests.engine_fixtures import BUCKET, REGION, SECRET_ID, SECRET_KEY

KEY = "input/视频 a+(1).mp4"


@pytest.fixture(params=["proxy", "address"])
def sdk(request, served):
    """Both ways to point the SDK at an engine (§15): through a "proxy", Hosts as they are; and by address."""
    port = int(served.rpartition(":")[2])
    way = {"Proxies": {"http": served}} if request.param == "proxy" else {"IP": "127.0.0.1", "Port": port}
    config = CosConfig(Region=REGION, SecretId=SECRET_ID, SecretKey=SECRET_KEY, Scheme="http", KeepAlive=False, **way)
    return CosS3Client(config, retry=0)


@pytest.fixture
def sdk_by_proxy(served):
    config = CosConfig(
        Region=REGION,
        SecretId=SECRET_ID,
        SecretKey=SECRET_KEY,
        Scheme="http",
        KeepAlive=False,
        Proxies={"http": served},
    )
    return CosS3Client(config, retry=0)


@pytest.fixture
def uploaded(sdk, clip):
    sdk.put_object(Bucket=BUCKET, Body=clip.read_bytes(), Key=KEY, ContentType="video/mp4")
    return KEY


def ended(sdk, job_id):
    for _ in range(600):
        job = sdk.ci_get_media_jobs(Bucket=BUCKET, JobIDs=job_id)["JobsDetail"][0]
        if job["State"] in ("Success", "Failed", "Cancel"):
            return job
        time.sleep(0.05)
    raise AssertionError("the job did not end")


@pytest.mark.slow
def test_the_first_example_of_the_page_a_job_by_template_runs_to_its_end(sdk, uploaded):
    setting = {
        "Transcode": {
            "Container": {"Format": "mp4"},
            "Video": {"Codec": "H.264", "Width": "320", "Fps": "25"},
            "Audio": {"Codec": "aac", "Samplerate": "44100", "Bitrate": "128", "Channels": "2"},
        },
        "MsSharpen": {"SharpenLevel": "5"},
    }
    made = sdk.ci_create_template(
        Bucket=BUCKET, Template={"Tag": "VideoEnhance", "Name": "sharp", "VideoEnhance": setting}
    )
    template_id = made["Template"]["TemplateId"]
    encoding = {"Container": {"Format": "mp4"}, "Video": {"Codec": "H.264", "Width": "256"}, "Audio": {"Codec": "aac"}}
    made = sdk.ci_create_template(Bucket=BUCKET, Template={"Tag": "Transcode", "Name": "narrow", **encoding})
    job = {
        "Tag": "VideoEnhance",
        "Input": {"Object": uploaded},
        "Operation": {
            "TemplateId": template_id,
            "TranscodeTemplateId": made["Template"]["TemplateId"],
            "Output": {"Region": REGION, "Bucket": BUCKET, "Object": "output/a-${jobid}.${ext}"},
            "UserData": "a&b<c>",
            "JobLevel": "0",
        },
    }
    reply = sdk.ci_create_media_jobs(Bucket=BUCKET, Jobs=job, Lst={})
    told = reply["JobsDetail"][0]
    assert (told["State"], told["Code"], told["StartTime"]) == ("Submitted", "Success", "-")
    assert told["Operation"]["TemplateName"] == "sharp"
    assert told["QueueId"].startswith("p")
    done = ended(sdk, told["JobId"])
    assert done["State"] == "Success", done
    assert done["Operation"]["UserData"] == "a&b<c>"
    assert done["Operation"]["Output"]["Object"] == "output/a-${jobid}.${ext}"
    output = done["Operation"]["MediaResult"]["OutputFile"]
    assert output["ObjectName"] == f"output/a-{told['JobId']}.mp4"
    assert sdk.head_object(Bucket=BUCKET, Key=output["ObjectName"])["ETag"].strip('"') == output["Md5Info"]["Md5"]
    assert done["Operation"]["MediaInfo"]["Stream"]["Video"]["Width"] == "256"


@pytest.mark.slow
def test_the_second_example_of_the_page_a_job_with_a_text_watermark_runs_to_its_end(sdk, uploaded):
    job = {
        "Tag": "VideoEnhance",
        "Input": {"Object": uploaded},
        "Operation": {
            "VideoEnhance": {
                "Transcode": {
                    "Container": {"Format": "mp4"},
                    "Video": {"Codec": "H.264", "Width": "320", "Fps": "25", "Bitrate": "500"},
                    "Audio": {"Codec": "aac", "Samplerate": "44100", "Bitrate": "128", "Channels": "2"},
                },
                "SuperResolution": {"Resolution": "sdtohd", "EnableScaleUp": "false", "Version": "Base"},
                "ColorEnhance": {"Contrast": "50", "Correction": "100", "Saturation": "100"},
                "MsSharpen": {"SharpenLevel": "5"},
            },
            "Watermark": {
                "Type": "Text", "Pos": "TopRight", "LocMode": "Absolute", "Dx": "16", "Dy": "16",
                "StartTime": "0", "EndTime": "0.5",
                "Text": {
                    "Text": "demo", "FontSize": "30", "FontType": "arial.ttf", "FontColor": "0xFFFFFF",
                    "Transparency": "30",
                },
            },
            "Output": {"Region": REGION, "Bucket": BUCKET, "Object": "output/b.${ext}"},
        },
    }  # fmt: skip
    told = sdk.ci_create_media_jobs(Bucket=BUCKET, Jobs=job, Lst={})["JobsDetail"][0]
    done = ended(sdk, told["JobId"])
    assert done["State"] == "Success", done
    assert done["Operation"]["Watermark"]["Text"]["Text"] == "demo"
    assert done["Operation"]["MediaResult"]["OutputFile"]["ObjectName"] == "output/b.mp4"


def test_objects_go_in_and_come_out(sdk, uploaded, clip):
    data = clip.read_bytes()
    assert sdk.get_object(Bucket=BUCKET, Key=uploaded)["Body"].get_raw_stream().read() == data
    assert sdk.get_object(Bucket=BUCKET, Key=uploaded, Range="bytes=4-11")["Body"].get_raw_stream().read() == data[4:12]
    head = sdk.head_object(Bucket=BUCKET, Key=uploaded)
    assert (head["Content-Length"], head["Content-Type"]) == (str(len(data)), "video/mp4")
    listed = sdk.list_objects(Bucket=BUCKET, Prefix="input/", MaxKeys=10)
    assert [one["Key"] for one in listed["Contents"]] == [uploaded]
    sdk.delete_object(Bucket=BUCKET, Key=uploaded)
    with pytest.raises(CosServiceError) as error:
        sdk.get_object(Bucket=BUCKET, Key=uploaded)
    assert (error.value.get_error_code(), error.value.get_status_code()) == ("NoSuchKey", 404)


@pytest.mark.slow
def test_a_large_file_goes_up_in_parts(sdk, tmp_path):
    file = tmp_path / "large.bin"
    file.write_bytes(bytes(range(256)) * 4096 * 3)
    sdk.upload_file(Bucket=BUCKET, Key="large.bin", LocalFilePath=str(file), PartSize=1, MAXThread=2)
    assert sdk.head_object(Bucket=BUCKET, Key="large.bin")["ETag"].endswith('-3"')
    back = tmp_path / "back.bin"
    sdk.download_file(Bucket=BUCKET, Key="large.bin", DestFilePath=str(back))
    assert back.read_bytes() == file.read_bytes()


def test_a_presigned_address_works_without_keys(sdk_by_proxy, served, clip):
    import requests

    sdk_by_proxy.put_object(Bucket=BUCKET, Body=clip.read_bytes(), Key="a b.mp4")
    url = sdk_by_proxy.get_presigned_url(Method="GET", Bucket=BUCKET, Key="a b.mp4", Expired=60)
    answer = requests.get(url, proxies={"http": served}, timeout=10)
    assert (answer.status_code, answer.content) == (200, clip.read_bytes())
    other = url[:-1] + ("1" if url.endswith("0") else "0")
    assert requests.get(other, proxies={"http": served}, timeout=10).status_code == 403


@pytest.mark.slow
def test_jobs_are_listed_and_unknown_ids_are_named(sdk, uploaded):
    output = {"Region": REGION, "Bucket": BUCKET, "Object": "${jobid}.${ext}"}
    setting = {"Transcode": {"Container": {"Format": "mp4"}, "Video": {"Codec": "H.264"}}}
    job = {
        "Tag": "VideoEnhance", "Input": {"Object": uploaded}, "Operation": {"VideoEnhance": setting, "Output": output},
    }  # fmt: skip
    ids = [sdk.ci_create_media_jobs(Bucket=BUCKET, Jobs=job, Lst={})["JobsDetail"][0]["JobId"] for _ in range(3)]
    first = sdk.ci_list_media_jobs(Bucket=BUCKET, Tag="VideoEnhance", Size=2)
    second = sdk.ci_list_media_jobs(Bucket=BUCKET, Tag="VideoEnhance", Size=2, NextToken=first["NextToken"])
    assert [one["JobId"] for page in (first, second) for one in page["JobsDetail"]] == ids[::-1]
    assert second["NextToken"] is None
    unknown = "j" + "0" * 32
    reply = sdk.ci_get_media_jobs(Bucket=BUCKET, JobIDs=f"{ids[0]},{unknown}")
    assert (reply["JobsDetail"][0]["JobId"], reply["NonExistJobIds"]) == (ids[0], unknown)
    for one in ids:
        ended(sdk, one)


@pytest.mark.slow
def test_a_queue_is_paused_a_waiting_job_cancelled_and_the_queue_resumed(sdk, uploaded):
    queue = sdk.ci_get_media_queue(Bucket=BUCKET)["QueueList"][0]
    change = {"Name": queue["Name"], "QueueID": queue["QueueId"], "State": "Paused", "NotifyConfig": {"State": "Off"}}
    reply = sdk.ci_update_media_queue(Bucket=BUCKET, QueueId=queue["QueueId"], Request=change)
    assert reply["Queue"][0]["State"] == "Paused"
    output = {"Region": REGION, "Bucket": BUCKET, "Object": "${jobid}.${ext}"}
    setting = {"Transcode": {"Container": {"Format": "mp4"}, "Video": {"Codec": "H.264"}}}
    job = {
        "Tag": "VideoEnhance", "Input": {"Object": uploaded}, "Operation": {"VideoEnhance": setting, "Output": output},
    }  # fmt: skip
    one, other = (sdk.ci_create_media_jobs(Bucket=BUCKET, Jobs=job, Lst={})["JobsDetail"][0] for _ in range(2))
    assert one["State"] == "Pause"
    sdk.ci_cancel_jobs(Bucket=BUCKET, JobID=one["JobId"])
    assert ended(sdk, one["JobId"])["State"] == "Cancel"
    sdk.ci_update_media_queue(Bucket=BUCKET, QueueId=queue["QueueId"], Request={**change, "State": "Active"})
    assert ended(sdk, other["JobId"])["State"] == "Success"
    with pytest.raises(CosServiceError) as error:
        sdk.ci_cancel_jobs(Bucket=BUCKET, JobID=other["JobId"])
    assert error.value.get_error_code() == "InvalidArgument"


def test_objects_are_copied_whole_and_in_parts(sdk, uploaded, clip):
    source = {"Bucket": BUCKET, "Key": uploaded, "Region": REGION}
    made = sdk.copy_object(Bucket=BUCKET, Key="copy (1).mp4", CopySource=source)
    assert made["ETag"] == sdk.head_object(Bucket=BUCKET, Key=uploaded)["ETag"]
    sdk.copy_object(
        Bucket=BUCKET, Key="copy (1).mp4", CopySource={**source, "Key": "copy (1).mp4"}, CopyStatus="Replaced",
        ContentType="video/x-other", Metadata={"x-cos-meta-note": "mine"},
    )  # fmt: skip
    head = sdk.head_object(Bucket=BUCKET, Key="copy (1).mp4")
    assert (head["Content-Type"], head["x-cos-meta-note"]) == ("video/x-other", "mine")
    upload_id = sdk.create_multipart_upload(Bucket=BUCKET, Key="parts.mp4")["UploadId"]
    part = sdk.upload_part_copy(
        Bucket=BUCKET,
        Key="parts.mp4",
        PartNumber=1,
        UploadId=upload_id,
        CopySource=source,
        CopySourceRange="bytes=0-99",
    )
    parts = {"Part": [{"PartNumber": 1, "ETag": part["ETag"]}]}
    sdk.complete_multipart_upload(Bucket=BUCKET, Key="parts.mp4", UploadId=upload_id, MultipartUpload=parts)
    data = sdk.get_object(Bucket=BUCKET, Key="parts.mp4")["Body"].get_raw_stream().read()
    assert data == clip.read_bytes()[:100]
    with pytest.raises(CosServiceError) as error:
        sdk.copy_object(Bucket=BUCKET, Key="b", CopySource={**source, "Key": "nix"})
    assert (error.value.get_error_code(), error.value.get_status_code()) == ("NoSuchKey", 404)


def test_the_copy_that_chooses_its_own_way_works(sdk_by_proxy, clip):
    sdk_by_proxy.put_object(Bucket=BUCKET, Body=clip.read_bytes(), Key="a.mp4")
    sdk_by_proxy.copy(Bucket=BUCKET, Key="b.mp4", CopySource={"Bucket": BUCKET, "Key": "a.mp4", "Region": REGION})
    assert sdk_by_proxy.get_object(Bucket=BUCKET, Key="b.mp4")["Body"].get_raw_stream().read() == clip.read_bytes()


@pytest.mark.slow
def test_a_job_notifies_the_message_queue_of_its_body(sdk, engine, uploaded):
    queue = sdk.ci_get_media_queue(Bucket=BUCKET)["QueueList"][0]
    notify = {
        "State": "On", "Event": "TaskFinish", "Type": "TDMQ", "MqMode": "Topic", "MqRegion": "cd", "MqName": "of-queue",
        "ResultFormat": "JSON",
    }  # fmt: skip
    change = {"Name": "queue-1", "QueueID": queue["QueueId"], "State": "Active", "NotifyConfig": notify}
    reply = sdk.ci_update_media_queue(Bucket=BUCKET, QueueId=queue["QueueId"], Request=change)
    assert reply["Queue"][0]["NotifyConfig"]["MqName"] == "of-queue"
    setting = {"Transcode": {"Container": {"Format": "mp4"}, "Video": {"Codec": "H.264"}}}
    output = {"Region": REGION, "Bucket": BUCKET, "Object": "${jobid}.${ext}"}
    job = {
        "Tag": "VideoEnhance",
        "Input": {"Object": uploaded},
        "Operation": {"VideoEnhance": setting, "Output": output},
    }
    mq = {"MqRegion": "cd", "MqMode": "Queue", "MqName": "of-job"}
    asked = ({}, {"CallBackType": "TDMQ", "CallBackMqConfig": mq}, {"CallBack": "no"})
    jobs = [sdk.ci_create_media_jobs(Bucket=BUCKET, Jobs={**job, **one}, Lst={})["JobsDetail"][0] for one in asked]
    ids = [ended(sdk, one["JobId"])["JobId"] for one in jobs]
    told = {"of-queue": [], "of-job": []}
    for _ in range(200):
        for name, found in told.items():
            found += [message.job_id for message in engine.messages(name)]
        if all(told.values()) and not engine.start().outbox.entries():
            break
        time.sleep(0.02)
    assert told == {"of-queue": ids[:1], "of-job": ids[1:2]}


@pytest.mark.slow
def test_faults_are_recognised_by_the_sdk_and_retried(served, engine):
    way = {"Scheme": "http", "KeepAlive": False, "Proxies": {"http": served}, "Timeout": 2}
    client = CosS3Client(CosConfig(Region=REGION, SecretId=SECRET_ID, SecretKey=SECRET_KEY, **way), retry=1)
    for fault in (ServerError(), HangUp(), TimeOut()):
        engine.faults.add("list_queues", fault)
        assert client.ci_get_media_queue(Bucket=BUCKET)["QueueList"]
    engine.faults.add("list_queues", Throttle(retry_after_s=2))
    with pytest.raises(CosServiceError) as error:
        client.ci_get_media_queue(Bucket=BUCKET)
    assert (error.value.get_error_code(), error.value.get_status_code()) == ("SlowDown", 429)
    assert [one.left for one in engine.faults.planned()] == [0, 0, 0, 0]


def test_templates_are_made_changed_listed_and_deleted(sdk):
    template = {"Tag": "VideoEnhance", "Name": "soft", "VideoEnhance": {"MsSharpen": {"SharpenLevel": "1"}}}
    template_id = sdk.ci_create_template(Bucket=BUCKET, Template=template)["Template"]["TemplateId"]
    with pytest.raises(CosServiceError) as error:
        sdk.ci_create_template(Bucket=BUCKET, Template=template)
    assert error.value.get_error_code() == "TemplateNameDuplicate"
    sdk.ci_update_template(Bucket=BUCKET, TemplateId=template_id, Template={**template, "Name": "softer"})
    listed = sdk.ci_get_template(Bucket=BUCKET, Name="soft")
    assert (listed["TotalCount"], listed["TemplateList"][0]["Name"]) == ("1", "softer")
    by_id = sdk.ci_get_template(Bucket=BUCKET, Ids=f"{template_id},t1{'0' * 32}")
    assert by_id["NonExistTIDs"]["TemplateId"] == "t1" + "0" * 32
    assert sdk.ci_delete_template(Bucket=BUCKET, TemplateId=template_id)["TemplateId"] == template_id
    with pytest.raises(CosServiceError) as error:
        sdk.ci_delete_template(Bucket=BUCKET, TemplateId=template_id)
    assert error.value.get_error_code() == "TemplateNotFound"


def test_a_video_is_looked_at(sdk, uploaded):
    info = sdk.get_media_info(Bucket=BUCKET, Key=uploaded)
    assert info["MediaInfo"][0]["Stream"]["Video"]["Width"] == "320"
    picture = sdk.get_snapshot(Bucket=BUCKET, Key=uploaded, Time="0.5", Width=160, Format="png")
    assert picture["Body"].get_raw_stream().read(8) == b"\x89PNG\r\n\x1a\n"


def test_activated_buckets_are_listed(sdk_by_proxy):
    listed = sdk_by_proxy.ci_get_media_bucket(
        Regions=REGION, BucketName="", BucketNames="", PageNumber="1", PageSize="2"
    )
    assert [one["BucketId"] for one in listed["MediaBucketList"]] == [BUCKET]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"SecretKey": "wrong"}, "SignatureDoesNotMatch"),
        ({"SecretId": "AKIDunknown"}, "InvalidAccessKeyId"),
    ],
    ids=["wrong key", "unknown key"],
)
def test_the_sdk_reads_why_it_was_refused(served, change, code):
    keys = {"SecretId": SECRET_ID, "SecretKey": SECRET_KEY, **change}
    client = CosS3Client(CosConfig(Region=REGION, Scheme="http", Proxies={"http": served}, **keys), retry=0)
    with pytest.raises(CosServiceError) as error:
        client.list_objects(Bucket=BUCKET)
    assert error.value.get_error_code() == code
    assert error.value.get_status_code() == 403


def test_the_sdk_reads_that_a_bucket_does_not_exist(sdk_by_proxy):
    for ask in (
        lambda: sdk_by_proxy.list_objects(Bucket="nobody-1250000000"),
        lambda: sdk_by_proxy.ci_get_media_jobs(Bucket="nobody-1250000000", JobIDs="j1"),
    ):
        with pytest.raises(CosServiceError) as error:
            ask()
        assert (error.value.get_error_code(), error.value.get_status_code()) == ("NoSuchBucket", 404)


def test_an_upload_in_parts_is_looked_at_and_given_up(sdk):
    upload_id = sdk.create_multipart_upload(Bucket=BUCKET, Key="given-up.bin")["UploadId"]
    sdk.upload_part(Bucket=BUCKET, Key="given-up.bin", Body=b"x" * 1_048_576, PartNumber=1, UploadId=upload_id)
    parts = sdk.list_parts(Bucket=BUCKET, Key="given-up.bin", UploadId=upload_id)["Part"]
    assert [(one["PartNumber"], one["Size"]) for one in parts] == [("1", "1048576")]
    assert [one["UploadId"] for one in sdk.list_multipart_uploads(Bucket=BUCKET)["Upload"]] == [upload_id]
    sdk.abort_multipart_upload(Bucket=BUCKET, Key="given-up.bin", UploadId=upload_id)
    with pytest.raises(CosServiceError) as error:
        sdk.list_parts(Bucket=BUCKET, Key="given-up.bin", UploadId=upload_id)
    assert error.value.get_error_code() == "NoSuchUpload"
    assert "Upload" not in sdk.list_multipart_uploads(Bucket=BUCKET)


def test_a_bucket_is_asked_whether_it_is_there(sdk):
    sdk.head_bucket(Bucket=BUCKET)


def test_the_remarks_of_a_successful_job_are_no_error(sdk_by_proxy, tmp_path):
    film = tmp_path / "film.mkv"
    run(["-f", "lavfi", "-i", "testsrc2=s=128x96:d=0.2,format=yuv420p10le", "-c:v", "ffv1", film])
    sdk_by_proxy.put_object(Bucket=BUCKET, Body=film.read_bytes(), Key="input/film.mkv")
    output = {"Region": REGION, "Bucket": BUCKET, "Object": "output/film.mp4"}
    operation = {"VideoEnhance": {"MsSharpen": {"SharpenLevel": "1"}}, "Output": output}
    job = {"Tag": "VideoEnhance", "Input": {"Object": "input/film.mkv"}, "Operation": operation}
    made = sdk_by_proxy.ci_create_media_jobs(Bucket=BUCKET, Jobs=job, Lst={})["JobsDetail"][0]
    done = ended(sdk_by_proxy, made["JobId"])
    assert (done["State"], done["Code"]) == ("Success", "Success")
    assert done["Message"] == "yuv420p10le becomes yuv420p: 10 bits become 8."


def code_of(ask):
    with pytest.raises(CosServiceError) as error:
        ask()
    return error.value.get_error_code(), error.value.get_status_code()


def test_acls_and_tags_are_kept_and_the_object_stays(sdk, uploaded, clip):
    sdk.put_object_acl(Bucket=BUCKET, Key=uploaded, ACL="public-read", GrantRead='id="7"')
    grants = sdk.get_object_acl(Bucket=BUCKET, Key=uploaded)["AccessControlList"]["Grant"]
    assert [one["Permission"] for one in grants] == ["FULL_CONTROL", "READ", "READ"]
    tags = {"TagSet": {"Tag": [{"Key": "project", "Value": "film"}]}}
    sdk.put_object_tagging(Bucket=BUCKET, Key=uploaded, Tagging=tags)
    assert sdk.get_object_tagging(Bucket=BUCKET, Key=uploaded) == tags
    sdk.delete_object_tagging(Bucket=BUCKET, Key=uploaded)
    assert code_of(lambda: sdk.get_object_tagging(Bucket=BUCKET, Key=uploaded)) == ("NoSuchTagSet", 404)
    assert sdk.get_object(Bucket=BUCKET, Key=uploaded)["Body"].get_raw_stream().read() == clip.read_bytes()


def test_what_the_engine_does_not_do_is_refused_and_the_object_stays(sdk, uploaded, clip):
    where = {"Bucket": BUCKET, "Key": uploaded}
    restore, live = {"Days": 1, "CASJobParameters": {"Tier": "Standard"}}, {"Switch": "Enabled"}
    rule = {"CORSRule": [{"AllowedOrigin": ["*"], "AllowedMethod": ["GET"]}]}
    for ask, answer in {
        lambda: sdk.append_object(**where, Position=0, Data="x"): ("MethodNotAllowed", 405),
        lambda: sdk.restore_object(**where, RestoreRequest=restore): ("RestoreNonArchiveObject", 405),
        lambda: sdk.put_live_channel(Bucket=BUCKET, ChannelName=uploaded, LiveChannelConfiguration=live): (
            "MethodNotAllowed", 405,
        ),
        lambda: sdk.get_pm3u8(**where, Expires=3600): ("InvalidArgument", 400),
        lambda: sdk.put_object(**where, Body=b"x", StorageClass="ARCHIVE"): ("NotSupportedStorageClass", 400),
        lambda: sdk.put_object(**where, Body=b"x", PicOperations="{}"): ("InvalidArgument", 400),
        lambda: sdk.delete_object(**where, VersionId="7"): ("NoSuchVersion", 404),
        lambda: sdk.put_bucket_cors(Bucket=BUCKET, CORSConfiguration=rule): ("MethodNotAllowed", 405),
        lambda: sdk.get_bucket_cors(Bucket=BUCKET): ("NoSuchCORSConfiguration", 404),
        lambda: sdk.get_bucket_lifecycle(Bucket=BUCKET): ("NoSuchLifecycleConfiguration", 404),
        lambda: sdk.create_bucket(Bucket=BUCKET): ("BucketAlreadyOwnedByYou", 409),
    }.items():  # fmt: skip
        assert code_of(ask) == answer
        assert sdk.get_object(**where)["Body"].get_raw_stream().read() == clip.read_bytes()


def test_headers_that_ask_for_something_are_answered(sdk):
    put = sdk.put_object(
        Bucket=BUCKET, Key="k", Body=b"data", ACL="private", StorageClass="STANDARD_IA", ServerSideEncryption="AES256"
    )
    assert put["x-cos-server-side-encryption"] == "AES256"
    head = sdk.head_object(Bucket=BUCKET, Key="k")
    assert (head["x-cos-storage-class"], head["x-cos-server-side-encryption"]) == ("STANDARD_IA", "AES256")
    assert sdk.list_objects(Bucket=BUCKET)["Contents"][0]["StorageClass"] == "STANDARD_IA"
    sdk.change_object_storage_class(Bucket=BUCKET, Key="k", StorageClass="STANDARD")
    assert "x-cos-storage-class" not in sdk.head_object(Bucket=BUCKET, Key="k")


def test_bodies_of_unknown_length_are_stored(sdk, uploaded, clip, tmp_path):
    (tmp_path / "empty").touch()
    with (tmp_path / "empty").open("rb") as empty:
        sdk.put_object(Bucket=BUCKET, Key="empty", Body=empty)
    sdk.put_object(Bucket=BUCKET, Key="pieces", Body=(piece for piece in (b"abc", b"def" * 100_000)))
    stream = sdk.get_object(Bucket=BUCKET, Key=uploaded)["Body"].get_stream(1024)
    sdk.put_object(Bucket=BUCKET, Key="stream", Body=stream)
    read = lambda key: sdk.get_object(Bucket=BUCKET, Key=key)["Body"].get_raw_stream().read()  # noqa: E731
    assert (read("empty"), read("pieces"), read("stream")) == (b"", b"abc" + b"def" * 100_000, clip.read_bytes())


def test_many_objects_are_deleted_and_buckets_and_versions_listed(sdk, sdk_by_proxy):
    for key in ("a", "b\tc", "d"):
        sdk.put_object(Bucket=BUCKET, Key=key, Body=key)
    named = {"Object": [{"Key": "a"}, {"Key": "b\tc"}, {"Key": "nix"}]}
    assert [one["Key"] for one in sdk.delete_objects(Bucket=BUCKET, Delete=named)["Deleted"]] == ["a", "b\tc", "nix"]
    assert [one["Key"] for one in sdk.list_objects_versions(Bucket=BUCKET)["Version"]] == ["d"]
    assert sdk.get_bucket_location(Bucket=BUCKET)["LocationConstraint"] == REGION
    assert not sdk.get_bucket_versioning(Bucket=BUCKET).get("Status")
    assert not sdk.get_bucket_logging(Bucket=BUCKET).get("LoggingEnabled")
    assert sdk.get_bucket_acl(Bucket=BUCKET)["AccessControlList"]["Grant"][0]["Permission"] == "FULL_CONTROL"
    assert [one["Name"] for one in sdk_by_proxy.list_buckets()["Buckets"]["Bucket"]] == [BUCKET]
