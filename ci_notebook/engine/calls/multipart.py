"""Multipart uploads: start, put a part, list the parts, complete, abort."""

from __future__ import annotations

import json
import re
from typing import Final

from lxml import etree

from ci_notebook.engine.calls.context import CallContext, Handler, bucket_of, number_in_query, word_in_query
from ci_notebook.engine.calls.cos.request_headers import ENCRYPTION, STORAGE_CLASS
from ci_notebook.engine.calls.exchange import Answer, Exchange
from ci_notebook.engine.calls.object_copy import SOURCE, copy_part
from ci_notebook.engine.calls.objects import (
    add_leaves,
    add_owner,
    body_chunks,
    check_body,
    cos_answer,
    iso_time,
    object_headers,
    write_condition,
)
from ci_notebook.engine.storage.uploads import Upload
from ci_notebook.wire.operations import url_path
from ci_notebook.wire.service_errors import service_error
from ci_notebook.wire.xml import MalformedXML, parse


def start_multipart(service: CallContext, exchange: Exchange) -> Answer:
    """Start a multipart upload."""
    bucket = bucket_of(service, exchange)
    write_condition(exchange)(service.store.head(bucket.name, exchange.key))
    upload = service.uploads.start(bucket.name, exchange.key, object_headers(exchange))
    root = etree.Element("InitiateMultipartUploadResult")
    add_leaves(root, [("Bucket", bucket.name), ("Key", exchange.key), ("UploadId", upload.upload_id)])
    told = {name: value for name, value in json.loads(upload.headers).items() if name == ENCRYPTION}
    return cos_answer(root, told)


def list_multiparts(service: CallContext, exchange: Exchange) -> Answer:
    """List the open uploads; those of one key from oldest to newest. A delimiter is ignored."""
    bucket = bucket_of(service, exchange)
    query, limit = exchange.query, number_in_query(exchange, "max-uploads", 1000, high=1000)
    is_encoded = word_in_query(exchange, "encoding-type", "", ("", "url")) == "url"
    after = query.get("key-marker", ""), query.get("upload-id-marker", "")
    uploads = service.uploads.open(bucket.name, query.get("prefix", ""), after=after)
    page = uploads[:limit]

    def encoded(text: str) -> str:
        return url_path(text) if is_encoded else text

    root = etree.Element("ListMultipartUploadsResult")
    add_leaves(root, [("Bucket", bucket.name), *([("EncodingType", "url")] if is_encoded else [])])
    add_leaves(root, [("KeyMarker", encoded(after[0])), ("UploadIdMarker", after[1]), ("MaxUploads", str(limit))])
    add_leaves(root, [("Prefix", encoded(query.get("prefix", ""))), ("IsTruncated", str(len(uploads) > limit).lower())])
    if len(uploads) > limit:
        add_leaves(root, [("NextKeyMarker", encoded(page[-1].key)), ("NextUploadIdMarker", page[-1].upload_id)])
    for upload in page:
        one = etree.SubElement(root, "Upload")
        add_leaves(one, [("Key", encoded(upload.key)), ("UploadId", upload.upload_id)])
        add_leaves(one, [("StorageClass", _storage_class(upload))])
        add_owner(one, upload.bucket, "Initiator")
        add_owner(one, upload.bucket)
        add_leaves(one, [("Initiated", iso_time(upload.created))])
    return cos_answer(root)


def put_part(service: CallContext, exchange: Exchange) -> Answer:
    """Store one part. It replaces an older one with the same number."""
    upload, number = check_part(service, exchange)
    if SOURCE in exchange.headers:
        return copy_part(service, exchange, upload, number)
    md5 = service.uploads.put(
        upload, number, body_chunks(exchange), content_md5=exchange.headers.get("content-md5", "")
    )
    return Answer(headers={"ETag": f'"{md5}"'})


def check_part(service: CallContext, exchange: Exchange) -> tuple[Upload, int]:
    """Return the upload and the number of a part. Raises `ServiceError` for what the head shows."""
    number = number_in_query(exchange, "partNumber", 0, high=10000)
    if not number:
        raise service_error("InvalidArgument", "partNumber must be a whole number, 1 to 10000 (it is missing).")
    check_body(exchange)
    return _upload(service, exchange), number


def list_parts(service: CallContext, exchange: Exchange) -> Answer:
    """List the stored parts, so that an upload can be resumed."""
    upload = _upload(service, exchange)
    limit = number_in_query(exchange, "max-parts", 1000, high=1000)
    after = number_in_query(exchange, "part-number-marker", 0, low=0, high=10000)
    is_encoded = word_in_query(exchange, "encoding-type", "", ("", "url")) == "url"
    parts = [part for part in service.uploads.parts(upload) if part.number > after]
    page = parts[:limit]
    root = etree.Element("ListPartsResult")
    add_leaves(root, [("Bucket", upload.bucket), *([("EncodingType", "url")] if is_encoded else [])])
    add_leaves(root, [("Key", url_path(upload.key) if is_encoded else upload.key), ("UploadId", upload.upload_id)])
    add_owner(root, upload.bucket, "Initiator")
    add_owner(root, upload.bucket)
    add_leaves(root, [("PartNumberMarker", str(after))])
    for part in page:
        facts = [("PartNumber", str(part.number)), ("LastModified", iso_time(part.modified))]
        add_leaves(etree.SubElement(root, "Part"), [*facts, ("ETag", f'"{part.md5}"'), ("Size", str(part.size))])
    is_cut = len(parts) > limit
    add_leaves(root, [("NextPartNumberMarker", str(page[-1].number))] if is_cut else [])
    add_leaves(
        root, [("StorageClass", _storage_class(upload)), ("MaxParts", str(limit)), ("IsTruncated", str(is_cut).lower())]
    )
    return cos_answer(root)


def complete_multipart(service: CallContext, exchange: Exchange) -> Answer:
    """Join the named parts into the object."""
    upload = _upload(service, exchange)
    condition = write_condition(exchange)
    condition(service.store.head(upload.bucket, upload.key))
    stored = service.uploads.complete(upload, _parts_named(exchange), condition=condition)
    root = etree.Element("CompleteMultipartUploadResult", xmlns="http://www.qcloud.com/document/product/436/7751")
    place = f"http://{exchange.headers.get('host', '')}{url_path('/' + upload.key)}"
    add_leaves(
        root, [("Location", place), ("Bucket", upload.bucket), ("Key", upload.key), ("ETag", f'"{stored.etag}"')]
    )
    return cos_answer(root)


def abort_multipart(service: CallContext, exchange: Exchange) -> Answer:
    """Remove an upload and its parts."""
    service.uploads.forget(_upload(service, exchange))
    return Answer(204)


def _upload(service: CallContext, exchange: Exchange) -> Upload:
    bucket = bucket_of(service, exchange)
    upload_id = exchange.query.get("uploadId", "")
    upload = service.uploads.get(upload_id)
    if upload is None or (upload.bucket, upload.key) != (bucket.name, exchange.key):
        raise service_error("NoSuchUpload", f"There is no upload {upload_id[:80]} of {exchange.key}.")
    return upload


def _storage_class(upload: Upload) -> str:
    return str(json.loads(upload.headers).get(STORAGE_CLASS, "STANDARD"))


def _parts_named(exchange: Exchange) -> list[tuple[int, str]]:
    """Return number and ETag of each part in the body."""
    try:
        root = parse(exchange.body.whole(exchange.headers.get("content-md5", "")))
    except MalformedXML as error:
        raise service_error("MalformedXML", f"{error}.") from error
    if root.tag != "CompleteMultipartUpload":
        text = f"The outermost element is <{root.tag}>; it must be <CompleteMultipartUpload>."
        raise service_error("MalformedXML", text)
    named = []
    for part in root.iter("Part"):
        number, tag = part.findtext("PartNumber") or "", part.findtext("ETag") or ""
        if not re.fullmatch("[0-9]{1,5}", number):
            raise service_error(
                "InvalidArgument", f"PartNumber must be a whole number, 1 to 10000 (got {number[:40]!r})."
            )
        named.append((int(number), tag.strip().strip('"')))
    return named


HANDLERS: Final[dict[str, Handler]] = {
    "list_multiparts": list_multiparts, "start_multipart": start_multipart, "put_part": put_part,
    "list_parts": list_parts,
    "complete_multipart": complete_multipart, "abort_multipart": abort_multipart,
}  # fmt: skip
