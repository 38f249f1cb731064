"""Where the keys come from, and that they show nowhere."""

from __future__ import annotations

import copy
import copyreg
import dataclasses
import inspect
import json
import logging
import marshal
import pickle
import pprint
import traceback
from pathlib import Path

import httpx
import pytest

from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import TOKEN_VARIABLES, Credentials, explain, find_credentials
from ci_notebook.client.connection.failures import ConnectionFailed
from ci_notebook.engine.engine import Engine
from ci_notebook.model.errors import CIError, CredentialsError
from ci_notebook.wire.secret import Secret
from tests.client.fake_cloud import BUCKET, REGION, SECRET_ID, SECRET_KEY

ENV = {"TENCENTCLOUD_SECRET_ID": "AKIDenv", "TENCENTCLOUD_SECRET_KEY": "envkey"}
INI = "[{section}]\nsecret_id = AKID{name}\nsecret_key = {name}key\n"
TCCLI = json.dumps({"secretId": "AKIDtccli", "secretKey": "tkey"})
COSCLI = """cos:
  base:
    secretid: {id}
    secretkey: {key}
    sessiontoken: ""
    protocol: https
    disableencryption: "{plain}"
  buckets:
  - name: b-1250000000
    alias: secretid
"""

# In the order of the chain: name, path below the machine's root, text.
FILES = [
    ("~/.tencentcloud/credentials", "home/.tencentcloud/credentials", INI.format(section="default", name="home")),
    ("/etc/tencentcloud/credentials", "etc/tencentcloud/credentials", INI.format(section="default", name="etc")),
    ("~/.tccli/default.credential", "home/.tccli/default.credential", TCCLI),
    ("~/.cos.conf", "home/.cos.conf", INI.format(section="common", name="coscmd")),
    ("~/.cos.yaml", "home/.cos.yaml", COSCLI.format(id="AKIDcoscli", key="ckey", plain="true")),
]  # fmt: skip


def put(root, path, text):
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def find(root, environ=None, **arguments):
    return find_credentials(**arguments, environ=environ or {}, home=root / "home", root=root)


def told(root, environ=None):
    return explain(environ=environ or {}, home=root / "home", root=root)


@pytest.mark.parametrize("first", range(len(FILES)))
def test_files_are_taken_in_order(tmp_path, first):
    for _, path, text in FILES[first:]:
        put(tmp_path, path, text)
    assert find(tmp_path).source == FILES[first][0]


def test_every_file_s_keys_are_read(tmp_path):
    ids = []
    for _, path, text in FILES:
        put(tmp_path, path, text)
        found = find(tmp_path)
        ids.append((found.secret_id.reveal(), found.secret_key.reveal()))
        (tmp_path / path).unlink()
    assert ids == [
        ("AKIDhome", "homekey"), ("AKIDetc", "etckey"), ("AKIDtccli", "tkey"), ("AKIDcoscmd", "coscmdkey"),
        ("AKIDcoscli", "ckey"),
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-16-le"])
@pytest.mark.parametrize(("source", "path", "text"), FILES)
def test_a_file_that_notepad_saved_is_read(tmp_path, source, path, text, encoding):
    put(tmp_path, path, "")
    (tmp_path / path).write_bytes(text.replace("\n", "\r\n").encode(encoding))
    assert find(tmp_path).source == source


def test_a_comment_in_another_encoding_hides_no_key(tmp_path):
    path = tmp_path / FILES[0][1]
    path.parent.mkdir(parents=True)
    path.write_bytes("# 我的密钥\n".encode("gbk") + FILES[0][2].encode())
    assert find(tmp_path).secret_id.reveal() == "AKIDhome"


def test_arguments_beat_the_environment_and_the_environment_beats_files(tmp_path):
    put(tmp_path, *FILES[0][1:])
    assert find(tmp_path, ENV).source == "the environment"
    assert find(tmp_path, ENV, secret_id="AKIDarg", secret_key="argkey").secret_id.reveal() == "AKIDarg"


@pytest.mark.parametrize("name", TOKEN_VARIABLES)
def test_a_token_is_read_from_each_variable(tmp_path, name):
    assert find(tmp_path, {**ENV, name: "T"}).token.reveal() == "T"


def test_two_tokens_that_differ_are_an_error_naming_both_variables(tmp_path):
    environ = {**ENV, "TENCENTCLOUD_SESSION_TOKEN": "T1", "TENCENTCLOUD_TOKEN": "T2"}
    with pytest.raises(CredentialsError, match="TENCENTCLOUD_SESSION_TOKEN and TENCENTCLOUD_TOKEN") as caught:
        find(tmp_path, environ)
    assert "T1" not in str(caught.value)
    assert find(tmp_path, {**environ, "TENCENTCLOUD_TOKEN": "T1"}).token.reveal() == "T1"


@pytest.mark.parametrize(
    "damaged", [" AKIDx", "AKIDx ", "AKIDx\n", "AK IDx", "\ufeffAKIDx", "'AKIDx'", "AKIDé", "\u200bA"]
)
def test_a_key_with_blanks_or_quotation_marks_is_an_error(tmp_path, damaged):
    with pytest.raises(CredentialsError, match="secret_id") as caught:
        find(tmp_path, {**ENV, "TENCENTCLOUD_SECRET_ID": damaged})
    assert damaged.strip() not in str(caught.value)


def test_half_a_key_is_an_error_and_no_other_account_is_taken(tmp_path):
    put(tmp_path, *FILES[0][1:])
    with pytest.raises(CredentialsError, match="TENCENTCLOUD_SECRET_KEY is not"):
        find(tmp_path, {"TENCENTCLOUD_SECRET_ID": "AKIDx"})
    with pytest.raises(CredentialsError, match="secret_key is missing"):
        find(tmp_path, secret_id="AKIDx")
    put(tmp_path, "home/.tencentcloud/credentials", "[default]\nsecret_id = AKIDx\n")
    with pytest.raises(CredentialsError, match=r"~/\.tencentcloud/credentials"):
        find(tmp_path)


def test_values_encrypted_by_coscli_are_reported_and_not_used(tmp_path):
    put(tmp_path, "home/.cos.yaml", COSCLI.format(id="c2VjcmV0c2VjcmV0", key="a2V5a2V5", plain="false"))
    with pytest.raises(CredentialsError, match="encrypted by coscli") as caught:
        find(tmp_path)
    assert "c2VjcmV0" not in str(caught.value)
    assert "encrypted by coscli" in told(tmp_path)


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("home/.tencentcloud/credentials", "secret_id AKIDleak"),
        ("home/.tccli/default.credential", '{"secretId": "AKIDleak"'),
        ("home/.cos.conf", "AKIDleak\n[common]"),
    ],
)
def test_an_unreadable_file_is_reported_without_quoting_it(tmp_path, path, text):
    put(tmp_path, path, text)
    with pytest.raises(CredentialsError) as caught:
        find(tmp_path)
    assert "AKIDleak" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.parametrize(("path", "text"), [
    ("home/.tencentcloud/credentials", "[other]\nsecret_id = x\n"),
    ("home/.tccli/default.credential", "[]"),
    ("home/.tccli/default.credential", '{"type": "cvm-role"}'),
    ("home/.cos.yaml", "cos:\n  base:\n    mode: CvmRole\n"),
    ("home/.cos.yaml", "- nothing\n"),
])  # fmt: skip
def test_a_file_without_keys_is_skipped(tmp_path, path, text):
    put(tmp_path, path, text)
    assert find(tmp_path, ENV | {}).source == "the environment"
    with pytest.raises(CredentialsError, match="No credentials were found"):
        find(tmp_path)


def test_without_any_source_each_is_named_with_its_reason(tmp_path):
    with pytest.raises(CredentialsError) as caught:
        find(tmp_path)
    for name, *_ in FILES:
        assert f"{name}: no such file" in str(caught.value)
    assert "embedded engine" in str(caught.value)


def test_explain_says_who_won_and_why_the_others_did_not(tmp_path):
    put(tmp_path, *FILES[1][1:])
    put(tmp_path, *FILES[3][1:])
    assert told(tmp_path).splitlines() == [
        "the arguments: not set",
        "the environment: not set",
        "~/.tencentcloud/credentials: no such file",
        "/etc/tencentcloud/credentials: USED",
        "~/.tccli/default.credential: no such file",
        "~/.cos.conf: not used: /etc/tencentcloud/credentials comes first",
        "~/.cos.yaml: no such file",
    ]


def test_explain_holds_no_value(tmp_path):
    for _, path, text in FILES:
        put(tmp_path, path, text)
    text = told(tmp_path, {**ENV, "TENCENTCLOUD_TOKEN": "tokenvalue"})
    assert "USED, with a token" in text
    for value in ("AKID", "key\n", "tokenvalue", "envkey"):
        assert value not in text.replace("credentials", "")


KEYS = Credentials("AKIDsecretid", "secretkeysecretkey", "tokentoken")
VALUES = ("AKIDsecretid", "secretkeysecretkey", "tokentoken")


def shows(text):
    return [value for value in VALUES if value in text]


def test_credentials_show_nothing():
    for text in (
        repr(KEYS),
        str(KEYS),
        f"{KEYS}",
        repr([KEYS]),
        repr(KEYS.secret_key),
        f"{KEYS.token:>20}",
        f"{KEYS.secret_id!s}",
    ):
        assert not shows(text)


def test_credentials_are_not_pickled_and_not_taken_apart():
    for held in (KEYS, KEYS.secret_key):
        with pytest.raises(TypeError, match="cannot be pickled"):
            pickle.dumps(held)
        assert copy.deepcopy(held) is held
    assert not dataclasses.is_dataclass(KEYS)
    with pytest.raises(TypeError):
        vars(KEYS)
    with pytest.raises(AttributeError):
        KEYS.token = Secret("x")


def test_a_secret_is_no_text():
    secret = KEYS.secret_key
    assert not isinstance(secret, str)
    for shows_it in (
        lambda: json.dumps(secret), lambda: json.dumps({"key": secret}), lambda: secret + "", lambda: "" + secret,
        lambda: "".join([secret]), lambda: list(secret), lambda: bytes(secret), lambda: secret[0], lambda: len(secret),
        lambda: vars(secret), lambda: copyreg.__reduce_ex__(secret, 1), lambda: marshal.dumps(secret),
        lambda: pickle.dumps(secret.reveal), secret.__getstate__, KEYS.__getstate__,
    ):  # fmt: skip
        with pytest.raises((TypeError, ValueError)) as caught:
            shows_it()
        assert not shows(str(caught.value))
    assert secret == Credentials("AKIDx", "secretkeysecretkey").secret_key
    assert secret != "secretkeysecretkey"
    with pytest.raises(AttributeError):
        secret.content = "x"


def test_a_secret_shows_itself_nowhere(caplog):
    secret = KEYS.secret_key
    holder = dataclasses.make_dataclass("Holder", ["key"])(secret)
    logging.getLogger("any").warning("with %s and %r", secret, holder)
    texts = [
        f"{secret}", f"{secret!r:>30}", "%s" % (secret,), str(secret), repr(dataclasses.asdict(holder)),  # noqa: UP031 - one of the ways
        repr(dataclasses.astuple(holder)), pprint.pformat([holder]), json.dumps([secret], default=str), caplog.text,
        repr(inspect.getmembers(secret)), repr(inspect.getmembers(KEYS)), repr(copy.copy(holder)),
    ]  # fmt: skip
    assert not shows("".join(texts))


def test_an_engine_does_not_show_its_keys(tmp_path):
    keys = {"AKIDengine": KEYS.secret_key, "AKIDother": "secretkeysecretkey"}
    tokens = {"AKIDother": "tokentoken"}
    with Engine(tmp_path, bucket="lab-1250000000", region="ap-chongqing", keys=keys, tokens=tokens) as one:
        for held in (one, one.start()):
            listed = vars(held) if hasattr(held, "__dict__") else {n: getattr(held, n) for n in held.__slots__}
            assert not shows(repr(held) + repr(listed))


@pytest.mark.parametrize("value", [1, b"AKIDbytes", ["AKID"]])
def test_keys_that_are_no_text_are_our_error(value):
    with pytest.raises(CredentialsError, match="must be text"):
        Credentials(value, "key")


def test_equal_keys_are_equal():
    assert Credentials("AKIDa", "b", source="one") == Credentials("AKIDa", "b", source="two")
    assert Credentials("AKIDa", "b") != Credentials("AKIDa", "c")


class Dead(httpx.BaseTransport):
    """A transport that loses every request, with the request among its variables, as a real one has it."""

    def handle_request(self, request):
        raw = dict(request.headers.raw)
        raise httpx.ReadError(f"lost {len(raw)} headers")


@pytest.mark.parametrize("act", [lambda c: c.job("j1"), lambda c: c.read("a"), lambda c: c.upload(b"x", "a")])
def test_a_broken_connection_shows_no_key_and_no_signature_even_with_its_variables(act):
    client = Client(BUCKET, region=REGION, credentials=KEYS, transport=Dead(), sleep=lambda _: None)
    with pytest.raises(ConnectionFailed) as caught:
        act(client)
    told = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert "lost" in told
    assert not shows(told)
    assert "q-signature" not in told


def test_a_refused_connection_shows_no_key_either():
    from ci_notebook.client.connection.transport import AddressTransport

    client = Client(
        BUCKET, region=REGION, credentials=KEYS, transport=AddressTransport("127.0.0.1:9"), sleep=lambda _: None
    )
    with pytest.raises(ConnectionFailed) as caught:
        client.job("j1")
    told = "".join(traceback.TracebackException.from_exception(caught.value, capture_locals=True).format())
    assert not shows(told)
    assert "q-signature" not in told


def test_no_log_record_holds_a_key_or_a_signature(client, cloud, caplog, tmp_path):
    with caplog.at_level(logging.DEBUG):
        client.upload(b"video", "a.mp4")
        client.download("a.mp4", tmp_path / "a.mp4")
        with pytest.raises(CIError):
            client.job("j1")
    assert SECRET_KEY not in caplog.text
    assert SECRET_ID not in caplog.text
    assert "q-signature" not in caplog.text


@pytest.mark.parametrize("method", ["upload", "job"])
def test_a_token_travels_under_the_host_s_own_name_and_is_signed(cloud, method):
    from ci_notebook.client.connection.transport import WSGITransport

    cloud.tokens = {SECRET_ID: "T"}
    client = Client(
        BUCKET, region=REGION, credentials=Credentials(SECRET_ID, SECRET_KEY, "T"), transport=WSGITransport(cloud)
    )
    if method == "upload":
        client.upload(b"x", "a")
        assert "x-cos-security-token" in cloud.headers["authorization"]
    else:
        list(client.jobs())
        assert "x-ci-security-token" in cloud.headers["authorization"]


def test_the_client_shows_no_key():
    client = Client(BUCKET, region=REGION, credentials=KEYS, transport=Dead())
    assert repr(client) == "Client('test-1250000000', region='ap-chongqing')"


def test_the_machine_s_own_home_is_the_default(monkeypatch, tmp_path):
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    put(tmp_path, ".cos.conf", INI.format(section="common", name="own"))
    assert find_credentials(environ={}, root=tmp_path).source == "~/.cos.conf"
