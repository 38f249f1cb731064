"""A query that asks for a sub-resource is answered by its own call or refused: the object is never touched."""

import base64
import hashlib

import pytest
from lxml import etree

from ci_notebook.engine.calls.cos.sub_resources import NOT_DONE, SUB_RESOURCES
from ci_notebook.wire.operations import CALL
from ci_notebook.wire.service_errors import CODES
from tests.engine.test_calls import refused
from tests.engine_fixtures import BUCKET, COS_HOST, REGION

DATA = b"a video that must survive" * 40
METHODS = ("GET", "HEAD", "PUT", "POST", "DELETE")
IMAGES = ("imageMogr2/thumbnail/!50p", "imageInfo", "watermark/2/text/YQ", "imageMogr2/rotate/9|imageView2/1")
# A name that nobody knows yet, other spellings, and names that only real parameters have
ODD_NAMES = (
    "newfeature", "ACL", "Tagging", "aCl", " acl", "acl ", "acl;tagging", "x-cos-acl", "prefix", "response-expires",
    "versionid", "\u0430cl", "acl\x00",
)  # fmt: skip


def cos(call, method, path, query=None, body=b"", **headers):
    return call(method, path, query, body, host=COS_HOST, **headers)


def state(call, key="k.mp4"):
    """All that can be seen of an object, and of its bucket."""
    answer = cos(call, "GET", f"/{key}")
    told = {name: answer.headers[name] for name in ("etag", "last-modified", "content-type", "x-cos-meta-note")}
    listing = etree.fromstring(cos(call, "GET", "/").content)
    return answer.status_code, answer.content, told, [one.text for one in listing.iterfind("Contents/Key")]


@pytest.fixture
def stored(call_in_process):
    headers = {"content_type": "video/mp4", "x_cos_meta_note": "mine"}
    assert cos(call_in_process, "PUT", "/k.mp4", body=DATA, **headers).status_code == 200
    return call_in_process


def test_the_table_names_calls_that_exist_and_codes_that_are_known():
    for name, sub in SUB_RESOURCES.items():
        for path, answers in (("/", sub.bucket), ("/{key}", sub.object)):
            for method, answer in answers.items():
                if answer in CALL:
                    call = CALL[answer]
                    assert (call.method, call.host, call.path) == (method, "cos", path), name
                    assert name in dict(call.flags), name
                else:
                    assert CODES[answer].status in (400, 404, 405), name
    flags = {(flag, call.path, call.method) for call in CALL.values() if call.host == "cos" for flag, _ in call.flags}
    for flag, path, method in flags - {("partNumber", "/{key}", "PUT"), ("uploadId", "/{key}", "PUT")}:
        if flag != "ci-process":
            assert SUB_RESOURCES[flag].answer(method, is_bucket=path == "/") in CALL


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("path", ["/k.mp4", "/"])
def test_no_sub_resource_touches_an_object_or_answers_its_bytes(stored, method, path):
    before, plain = state(stored), cos(stored, "GET", path).content
    for name in (*SUB_RESOURCES, *IMAGES, *ODD_NAMES):
        sub = SUB_RESOURCES.get(name)
        is_done = sub is not None and sub.answer(method, is_bucket=path == "/") in CALL
        is_read = method in ("GET", "HEAD") and name in ("prefix", "response-expires")
        # With a value, a name that COS does not know is no sub-resource, and is ignored.
        for value in ("",) if name in ODD_NAMES else ("", "x"):
            answer = cos(stored, method, path, {name: value}, b"" if method in ("GET", "HEAD") else b"junk")
            assert answer.status_code < 500, (name, value, answer.text)
            assert is_done or is_read or answer.status_code >= 400, (name, value)
            assert method == "HEAD" or is_read or answer.content != plain, (name, value)
            assert state(stored) == before, (name, value)


@pytest.mark.parametrize(
    ("method", "path", "query", "reply"),
    [
        ("PUT", "/k.mp4", {"retention": ""}, (405, NOT_DONE)),
        ("PUT", "/k.mp4", {"symlink": ""}, (405, NOT_DONE)),
        ("PUT", "/k.mp4", {"legal-hold": ""}, (405, NOT_DONE)),
        ("POST", "/k.mp4", {"append": "", "position": "0"}, (405, NOT_DONE)),
        ("POST", "/k.mp4", {"select": "", "select-type": "2"}, (405, NOT_DONE)),
        ("POST", "/k.mp4", {"restore": ""}, (405, "RestoreNonArchiveObject")),
        ("DELETE", "/k.mp4", {"acl": ""}, (405, NOT_DONE)),
        ("DELETE", "/k.mp4", {"delete": ""}, (405, NOT_DONE)),
        ("DELETE", "/k.mp4", {"uploads": ""}, (405, NOT_DONE)),
        ("DELETE", "/k.mp4", {"partNumber": "1"}, (405, NOT_DONE)),
        ("DELETE", "/k.mp4", {"versionId": "7"}, (404, "NoSuchVersion")),
        ("DELETE", "/k.mp4", {"uploadId": ""}, (404, "NoSuchUpload")),
        ("PUT", "/k.mp4", {"partNumber": "1"}, (400, "InvalidArgument")),
        ("PUT", "/k.mp4", {"uploadId": "u"}, (400, "InvalidArgument")),
        ("PUT", "/k.mp4", {"partNumber": "1", "uploadId": ""}, (404, "NoSuchUpload")),
        ("PUT", "/k.mp4", {"acl": "", "tagging": ""}, (405, NOT_DONE)),
        ("PUT", "/k.mp4", {"TAGGING": "", "x": "1"}, (405, NOT_DONE)),
        ("PUT", "/k.mp4", {"x-cos-copy-source": "a"}, (400, "InvalidArgument")),
        ("PUT", "/k.mp4", {"versionId": "null"}, (400, "InvalidArgument")),
        ("GET", "/k.mp4", {"versionId": "7"}, (404, "NoSuchVersion")),
        ("GET", "/k.mp4", {"uploads": ""}, (405, NOT_DONE)),
        ("GET", "/k.mp4", {"ci-process": "doc-preview"}, (400, "InvalidArgument")),
        ("GET", "/k.mp4", {"ci-process": ""}, (400, "InvalidArgument")),
        ("GET", "/k.mp4", {"ci-process": "Snapshot"}, (400, "InvalidArgument")),
        ("PUT", "/k.mp4", {"ci-process": "videoinfo"}, (400, "InvalidArgument")),
        ("POST", "/k.mp4", {"ci-process": "anything"}, (400, "InvalidArgument")),
        ("GET", "/", {"cors": ""}, (404, "NoSuchCORSConfiguration")),
        ("GET", "/", {"lifecycle": ""}, (404, "NoSuchLifecycleConfiguration")),
        ("GET", "/", {"website": ""}, (404, "NoSuchWebsiteConfiguration")),
        ("GET", "/", {"tagging": ""}, (404, "NoSuchTagSet")),
        ("GET", "/", {"replication": ""}, (404, "ReplicationConfigurationNotFoundError")),
        ("GET", "/", {"inventory": "", "id": "x"}, (405, NOT_DONE)),
        ("PUT", "/", {"cors": ""}, (405, NOT_DONE)),
        ("PUT", "/", {"acl": ""}, (405, NOT_DONE)),
        ("DELETE", "/", {"policy": ""}, (405, NOT_DONE)),
        ("PUT", "/", None, (409, "BucketAlreadyOwnedByYou")),
        ("DELETE", "/", None, (405, NOT_DONE)),
        ("POST", "/", None, (405, NOT_DONE)),
    ],
)  # fmt: skip
def test_what_is_not_done_is_refused_by_its_code(stored, method, path, query, reply):
    before = state(stored)
    refused(cos(stored, method, path, query, b"" if method == "GET" else b"junk"), *reply)
    assert state(stored) == before


def test_a_refusal_needs_a_signature_first(stored):
    answer = stored("PUT", "/k.mp4", {"retention": ""}, b"", host=COS_HOST, secret_key="wrong")
    refused(answer, 403, "SignatureDoesNotMatch")


def test_a_parameter_with_a_value_that_no_call_knows_is_ignored_as_cos_does(stored):
    assert cos(stored, "GET", "/k.mp4", {"t": "1700000000"}).content == DATA
    assert cos(stored, "GET", "/k.mp4", {"acl": "", "unused": "123"}).status_code == 200
    assert cos(stored, "GET", "/k.mp4", {"versionId": "null"}).content == DATA
    assert cos(stored, "HEAD", "/k.mp4", {"versionId": ""}).status_code == 200


# ACLs


def grants(answer):
    root = etree.fromstring(answer.content)
    assert root.tag == "AccessControlPolicy"
    assert root.findtext("Owner/ID") == BUCKET.rpartition("-")[2]
    return [
        (one.findtext("Grantee/ID") or one.findtext("Grantee/URI").rpartition("/")[2], one.findtext("Permission"))
        for one in root.iterfind("AccessControlList/Grant")
    ]


OWNER = (BUCKET.rpartition("-")[2], "FULL_CONTROL")


def test_an_acl_is_kept_and_answered_and_leaves_the_object_as_it_is(call):
    headers = {"content_type": "video/mp4", "x_cos_meta_note": "mine"}
    cos(call, "PUT", "/k.mp4", body=DATA, **headers)
    before = state(call)
    assert grants(cos(call, "GET", "/k.mp4", {"acl": ""})) == [OWNER]
    answer = cos(call, "PUT", "/k.mp4", {"acl": ""}, x_cos_acl="public-read", x_cos_grant_read='id="7",id="8"')
    assert (answer.status_code, answer.content) == (200, b"")
    answer = cos(call, "GET", "/k.mp4", {"acl": ""})
    assert answer.headers["x-cos-acl"] == "public-read"
    assert grants(answer) == [OWNER, ("AllUsers", "READ"), ("7", "READ"), ("8", "READ")]
    assert state(call) == before
    # What was answered can be sent back
    cos(call, "PUT", "/k.mp4", {"acl": ""}, x_cos_acl="private")
    assert grants(cos(call, "GET", "/k.mp4", {"acl": ""})) == [OWNER]
    assert cos(call, "PUT", "/k.mp4", {"acl": ""}, answer.content).status_code == 200
    assert grants(cos(call, "GET", "/k.mp4", {"acl": ""})) == grants(answer)
    assert state(call) == before
    assert grants(cos(call, "GET", "/", {"acl": ""})) == [OWNER]


@pytest.mark.parametrize(
    ("headers", "body", "code"),
    [
        ({}, b"", "MissingRequestBodyError"),
        ({}, b"no XML", "MalformedXML"),
        ({}, b"<Other/>", "MalformedXML"),
        ({"x_cos_acl": "public-write"}, b"", "InvalidArgument"),
        ({"x_cos_grant_read": "everybody"}, b"", "InvalidArgument"),
        ({"x_cos_acl": "private"}, b"<AccessControlPolicy/>", "InvalidRequest"),
        ({"x_cos_storage_class": "STANDARD_IA"}, b"<AccessControlPolicy/>", "InvalidArgument"),
    ],
)
def test_an_acl_that_cannot_be_kept_is_refused(stored, headers, body, code):
    before = state(stored)
    refused(cos(stored, "PUT", "/k.mp4", {"acl": ""}, body, **headers), 400, code)
    assert state(stored) == before
    assert grants(cos(stored, "GET", "/k.mp4", {"acl": ""})) == [OWNER]


# Tags


def tagging(*pairs):
    tags = "".join(f"<Tag><Key>{key}</Key><Value>{value}</Value></Tag>" for key, value in pairs)
    return f"<Tagging><TagSet>{tags}</TagSet></Tagging>".encode()


def tags(answer):
    root = etree.fromstring(answer.content)
    return [(one.findtext("Key"), one.findtext("Value") or "") for one in root.iterfind("TagSet/Tag")]


def test_tags_are_kept_answered_and_deleted_and_leave_the_object_as_it_is(call):
    headers = {"content_type": "video/mp4", "x_cos_meta_note": "mine"}
    cos(call, "PUT", "/k.mp4", body=DATA, **headers)
    before = state(call)
    refused(cos(call, "GET", "/k.mp4", {"tagging": ""}), 404, "NoSuchTagSet")
    pairs = [("project", "film & co"), ("级别", "一"), ("empty", "")]
    body = tagging(("project", "film &amp; co"), ("级别", "一"), ("empty", ""))
    assert cos(call, "PUT", "/k.mp4", {"tagging": ""}, body).status_code == 200
    assert tags(cos(call, "GET", "/k.mp4", {"tagging": ""})) == pairs
    assert cos(call, "HEAD", "/k.mp4").headers["x-cos-tagging-count"] == "3"
    assert state(call) == before
    assert cos(call, "DELETE", "/k.mp4", {"tagging": ""}).status_code == 204
    refused(cos(call, "GET", "/k.mp4", {"tagging": ""}), 404, "NoSuchTagSet")
    assert state(call) == before
    for method in ("PUT", "GET", "DELETE"):
        refused(cos(call, method, "/nix", {"tagging": ""}, body if method == "PUT" else b""), 404, "NoSuchKey")


@pytest.mark.parametrize(
    ("body", "code"),
    [
        (b"", "MissingRequestBodyError"),
        (b"<Tagging>", "MalformedXML"),
        (b"<Tagging/>", "MalformedXML"),
        (tagging(*((f"k{number}", "v") for number in range(11))), "InvalidTag"),
        (tagging(("a", "1"), ("a", "2")), "InvalidTag"),
        (tagging(("", "1")), "InvalidTag"),
        (tagging(("a" * 128, "1")), "InvalidTag"),
        (tagging(("a", "1" * 256)), "InvalidTag"),
    ],
    ids=["empty", "broken", "none", "many", "twice", "no key", "long key", "long value"],
)
def test_tags_that_cannot_be_kept_are_refused(stored, body, code):
    cos(stored, "PUT", "/k.mp4", {"tagging": ""}, tagging(("old", "1")))
    before = state(stored)
    refused(cos(stored, "PUT", "/k.mp4", {"tagging": ""}, body), 400, code)
    assert tags(cos(stored, "GET", "/k.mp4", {"tagging": ""})) == [("old", "1")]
    assert state(stored) == before


# Delete Multiple Objects


def deletion(call, body, md5=None):
    digest = base64.b64encode(hashlib.md5(body).digest()).decode() if md5 is None else md5
    headers = {"content_md5": digest} if digest else {}
    return cos(call, "POST", "/", {"delete": ""}, body, **headers)


def keys(call):
    answer = cos(call, "GET", "/", {"encoding-type": "url"})
    return [one.text for one in etree.fromstring(answer.content).iterfind("Contents/Key")]


def test_many_objects_are_deleted_in_one_call(call):
    for key in ("a", "b", "c & d", "视频/e", "f", " g "):
        call.put(key, b"data")
    named = "".join(f"<Object><Key>{key}</Key></Object>" for key in ("a", "c &amp; d", "视频/e", "nix", " g "))
    answer = deletion(call, f"<Delete><Quiet>false</Quiet>{named}</Delete>".encode())
    root = etree.fromstring(answer.content)
    assert (answer.status_code, root.tag) == (200, "DeleteResult")
    assert [one.text for one in root.iterfind("Deleted/Key")] == ["a", "c & d", "视频/e", "nix", " g "]
    assert keys(call) == ["b", "f"]
    answer = deletion(
        call,
        b"<Delete><Quiet>true</Quiet><Object><Key>b</Key></Object>"
        b"<Object><Key>f</Key><VersionId>7</VersionId></Object></Delete>",
    )
    root = etree.fromstring(answer.content)
    assert [(one.tag, one.findtext("Key"), one.findtext("Code")) for one in root] == [("Error", "f", "NoSuchVersion")]
    assert keys(call) == ["f"]


@pytest.mark.parametrize(
    ("body", "md5", "code"),
    [
        (b"<Delete><Object><Key>a</Key></Object></Delete>", "", "InvalidRequest"),
        (b"<Delete><Object><Key>a</Key></Object></Delete>", "AAAAAAAAAAAAAAAAAAAAAA==", "BadDigest"),
        (b"", None, "MalformedXML"),
        (b"<Delete></Delete>", None, "MalformedXML"),
        (b"<Other><Object><Key>a</Key></Object></Other>", None, "MalformedXML"),
        (b"<Delete><Object><Key>a</Key></Object><Object/></Delete>", None, "MalformedXML"),
        (b"<Delete>" + b"<Object><Key>a</Key></Object>" * 1001 + b"</Delete>", None, "MalformedXML"),
    ],
    ids=["no digest", "digest", "empty", "nothing", "root", "no key", "1001"],
)
def test_a_deletion_that_cannot_be_read_deletes_nothing(call_in_process, body, md5, code):
    call_in_process.put("a", b"data")
    refused(deletion(call_in_process, body, md5), 400, code)
    assert keys(call_in_process) == ["a"]


def test_a_thousand_objects_are_deleted(call_in_process):
    for number in range(20):
        call_in_process.put(f"k{number:03}", b"data")
    body = "".join(f"<Object><Key>k{number:03}</Key></Object>" for number in range(1000))
    assert deletion(call_in_process, f"<Delete>{body}</Delete>".encode()).content.count(b"<Deleted>") == 1000
    assert keys(call_in_process) == []


# Buckets


@pytest.mark.parametrize(
    ("host", "count"),
    [
        ("service.cos.myqcloud.com", 1),
        ("service.cos.tencentcos.cn", 1),
        (f"cos.{REGION}.myqcloud.com", 1),
        ("cos.ap-beijing.myqcloud.com", 0),
    ],
)
def test_the_buckets_are_listed(call, host, count):
    answer = call("GET", "/", host=host)
    root = etree.fromstring(answer.content)
    assert (answer.status_code, root.tag, root.findtext("Owner/ID")) == (200, "ListAllMyBucketsResult", OWNER[0])
    found = [(one.findtext("Name"), one.findtext("Location")) for one in root.iterfind("Buckets/Bucket")]
    assert found == [(BUCKET, REGION)] * count
    assert all(one.text.endswith("Z") for one in root.iterfind("Buckets/Bucket/CreationDate"))
    refused(call("GET", "/", host=host, secret_key="wrong"), 403, "SignatureDoesNotMatch")


@pytest.mark.parametrize(
    ("query", "count"),
    [
        ({"marker": "", "max-keys": "2000"}, 1),
        ({"marker": BUCKET}, 0),
        ({"region": REGION}, 1),
        ({"region": "ap-beijing"}, 0),
        ({"tagkey": "a", "tagvalue": "b"}, 0),
        ({"create-time": "1", "range": "gt"}, 1),
        ({"create-time": "1", "range": "lte"}, 0),
    ],
)
def test_the_list_of_buckets_can_be_narrowed(call_in_process, query, count):
    answer = call_in_process("GET", "/", query, host="service.cos.myqcloud.com")
    assert answer.content.count(b"<Bucket>") == count


@pytest.mark.parametrize("query", [{"max-keys": "0"}, {"create-time": "x", "range": "lt"}, {"acl": ""}, {"x": ""}])
def test_a_list_of_buckets_that_cannot_be_is_refused(call_in_process, query):
    assert 400 <= call_in_process("GET", "/", query, host="service.cos.myqcloud.com").status_code < 500


def test_a_bucket_tells_its_location_versioning_and_logging(call):
    for name, tag, text in (
        ("location", "LocationConstraint", REGION),
        ("versioning", "VersioningConfiguration", None),
        ("logging", "BucketLoggingStatus", None),
    ):
        root = etree.fromstring(cos(call, "GET", "/", {name: ""}).content)
        assert (root.tag, root.text, len(root)) == (tag, text, 0)


def test_versions_are_listed_in_pages_each_the_only_one(call):
    for key in ("a/1", "a/2", "b", "c"):
        call.put(key, key.encode())
    first = etree.fromstring(cos(call, "GET", "/", {"versions": "", "max-keys": "2", "delimiter": "/"}).content)
    assert first.tag == "ListVersionsResult"
    assert [one.text for one in first.iterfind("CommonPrefixes/Prefix")] == ["a/"]
    versions = [[one.findtext(name) for name in ("Key", "VersionId", "IsLatest")] for one in first.iterfind("Version")]
    assert versions == [["b", "null", "true"]]
    query = {"versions": "", "delimiter": "/", "key-marker": first.findtext("NextKeyMarker")}
    rest = etree.fromstring(cos(call, "GET", "/", query).content)
    assert ([one.text for one in rest.iterfind("Version/Key")], rest.findtext("IsTruncated")) == (["c"], "false")
