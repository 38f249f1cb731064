"""Temporary keys are worth what their token is: both header names, and the query of a presigned address."""

import httpx
import pytest

from ci_notebook.client.connection.transport import AddressTransport, WSGITransport
from ci_notebook.engine.engine import Engine
from ci_notebook.engine.server.listener import Listener
from tests.engine.test_calls import refused
from tests.engine_fixtures import BUCKET, COS_HOST, KEYS, REGION, SECRET_ID, Caller

TOKEN = "token/of+temporary=keys"


@pytest.fixture
def engine(tmp_path):
    keys = {**KEYS, "AKIDforever": "foreverskey"}
    with Engine(tmp_path, bucket=BUCKET, region=REGION, keys=keys, tokens={SECRET_ID: TOKEN}) as running:
        yield running


@pytest.fixture(params=["in process", "loopback"])
def call(request, engine):
    if request.param == "in process":
        caller = Caller(WSGITransport(engine.app))
        yield caller
        caller.close()
        return
    with Listener(engine) as listener:
        listener.start()
        caller = Caller(AddressTransport(listener.address))
        yield caller
        caller.close()


@pytest.mark.parametrize("header", ["x_ci_security_token", "x_cos_security_token"])
def test_the_token_is_taken_under_both_names_on_both_hosts(call, header):
    assert call("GET", "/queue", **{header: TOKEN}).status_code == 200
    assert call("GET", "/", host=COS_HOST, **{header: TOKEN}).status_code == 200


def test_temporary_keys_without_their_token_are_refused(call):
    for headers in ({}, {"x_ci_security_token": "another"}):
        message = refused(call("GET", "/queue", **headers), 401, "AccessDenied")
        assert "security token" in message
        assert TOKEN not in message
        refused(call("GET", "/", host=COS_HOST, **headers), 403, "InvalidAccessKeyId")


def test_keys_that_are_not_temporary_need_none(call):
    forever = {"secret_id": "AKIDforever", "secret_key": "foreverskey"}
    assert call("GET", "/queue", **forever).status_code == 200
    assert call("GET", "/queue", **forever, x_ci_security_token="whatever").status_code == 200


def test_a_presigned_address_carries_the_token_in_its_query(call, engine):
    assert call("PUT", "/a", body=b"data", host=COS_HOST, x_cos_security_token=TOKEN).status_code == 200
    assert call("GET", "/a", {"x-cos-security-token": TOKEN}, host=COS_HOST).content == b"data"
    assert call("GET", "/a", {"x-cos-security-token": "another"}, host=COS_HOST).status_code == 403


def test_the_official_sdk_is_let_in_with_its_token_and_not_without(engine):
    from qcloud_cos import CosConfig, CosS3Client, CosServiceError

    with Listener(engine) as listener:
        listener.start()

        def sdk(**more):
            secret_key = KEYS[SECRET_ID]
            kind = {"Scheme": "http", "KeepAlive": False, "Proxies": {"http": listener.address}}
            config = CosConfig(Region=REGION, SecretId=SECRET_ID, SecretKey=secret_key, **kind, **more)
            return CosS3Client(config, retry=0)

        good = sdk(Token=TOKEN)
        good.put_object(Bucket=BUCKET, Body=b"data", Key="a")
        assert good.ci_get_media_queue(Bucket=BUCKET)["QueueList"][0]["Name"] == "queue-1"
        url = good.get_presigned_url(
            Method="GET", Bucket=BUCKET, Key="a", Params={"x-cos-security-token": TOKEN}, UseCiEndPoint=False
        )
        with httpx.Client(transport=AddressTransport(listener.address)) as http:
            assert http.get(url).content == b"data"
        for more in ({}, {"Token": "another"}):
            with pytest.raises(CosServiceError) as error:
                sdk(**more).ci_get_media_queue(Bucket=BUCKET)
            assert (error.value.get_error_code(), error.value.get_status_code()) == ("AccessDenied", 401)
            with pytest.raises(CosServiceError) as error:
                sdk(**more).list_objects(Bucket=BUCKET)
            assert error.value.get_error_code() == "InvalidAccessKeyId"


def test_the_engine_shows_no_token(engine):
    assert TOKEN not in repr(engine) + repr(engine.start())
