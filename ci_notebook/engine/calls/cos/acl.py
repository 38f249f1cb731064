"""Access control lists: kept with their object and answered. They open nothing, since every call must be signed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from lxml import etree

from ci_notebook.engine.calls.context import CallContext, Handler, bucket_of
from ci_notebook.engine.calls.cos.request_headers import ACL, GRANTS, grantees, kept_acl
from ci_notebook.engine.calls.exchange import Answer, Exchange
from ci_notebook.engine.calls.objects import add_leaves, add_owner, cos_answer
from ci_notebook.wire.service_errors import service_error
from ci_notebook.wire.xml import MalformedXML, parse

_GROUPS: Final = "http://cam.qcloud.com/groups/global/"
# ACL → the group that it lets read
_READERS: Final = {"public-read": "AllUsers", "authenticated-read": "AuthenticatedUsers"}
_SCHEMA: Final = "http://www.w3.org/2001/XMLSchema-instance"
MAX_GRANTS: Final = 100


def get_object_acl(service: CallContext, exchange: Exchange) -> Answer:
    """Return the ACL of an object."""
    bucket = bucket_of(service, exchange)
    stored = service.store.head(bucket.name, exchange.key)
    if stored is None:
        raise service_error("NoSuchKey", f"Bucket {bucket.name} has no object {exchange.key}.")
    return cos_answer(_policy(bucket.name, stored.headers), {ACL: stored.headers.get(ACL, "default")})


def put_object_acl(service: CallContext, exchange: Exchange) -> Answer:
    """Replace the ACL of an object, from headers or from a body."""
    bucket = bucket_of(service, exchange)
    named = [name for name in (ACL, *GRANTS) if name in exchange.headers]
    body = exchange.body.whole(exchange.headers.get("content-md5", ""))
    if named and body.strip():
        raise service_error("InvalidRequest", f"The ACL is given twice: by {named[0]} and by a body.")
    if not named and not body.strip():
        raise service_error("MissingRequestBodyError", f"The ACL is missing: give {ACL}, or a body.")
    acl = kept_acl(exchange.headers) if named else kept_acl(_headers_of(body, bucket.name))

    def changed(headers: Mapping[str, str]) -> Mapping[str, str]:
        return {name: value for name, value in headers.items() if name not in (ACL, *GRANTS)} | acl

    service.store.change_headers(bucket.name, exchange.key, changed)
    return Answer()


def get_bucket_acl(service: CallContext, exchange: Exchange) -> Answer:
    """Return the ACL of a bucket: its owner may do everything."""
    return cos_answer(_policy(bucket_of(service, exchange).name, {}), {ACL: "private"})


def _policy(bucket: str, headers: Mapping[str, str]) -> etree._Element:
    root = etree.Element("AccessControlPolicy")
    add_owner(root, bucket)
    grants = etree.SubElement(root, "AccessControlList")
    _add_grant(grants, bucket.rpartition("-")[2], "FULL_CONTROL")
    if headers.get(ACL) in _READERS:
        _add_grant(grants, _GROUPS + _READERS[headers[ACL]], "READ", is_group=True)
    for name, permission in GRANTS.items():
        for account in grantees(name, headers[name]) if name in headers else ():
            _add_grant(grants, account, permission)
    return root


def _add_grant(grants: etree._Element, who: str, permission: str, *, is_group: bool = False) -> None:
    grant = etree.SubElement(grants, "Grant")
    grantee = etree.SubElement(grant, "Grantee", nsmap={"xsi": _SCHEMA})
    grantee.set(f"{{{_SCHEMA}}}type", "Group" if is_group else "CanonicalUser")
    add_leaves(grantee, [("URI", who)] if is_group else [("ID", who), ("DisplayName", who)])
    add_leaves(grant, [("Permission", permission)])


def _headers_of(body: bytes, bucket: str) -> dict[str, str]:
    """Return the headers that say the same as a body."""
    try:
        root = parse(body)
    except MalformedXML as error:
        raise service_error("MalformedXML", f"{error}.") from error
    grants = root.findall("AccessControlList/Grant")
    if root.tag != "AccessControlPolicy" or len(grants) > MAX_GRANTS:
        text = f"The body must be <AccessControlPolicy> with at most {MAX_GRANTS} grants (got <{root.tag}>)."
        raise service_error("MalformedXML", text)
    headers: dict[str, str] = {}
    accounts: dict[str, list[str]] = {}
    for grant in grants:
        permission = (grant.findtext("Permission") or "").strip()
        group = (grant.findtext("Grantee/URI") or "").strip()
        account = (grant.findtext("Grantee/ID") or "").strip()
        name = next((name for name, one in GRANTS.items() if one == permission), "")
        acl = next((acl for acl, one in _READERS.items() if group == _GROUPS + one and permission == "READ"), "")
        if (group and not acl) or (not group and not (account and name)):
            text = f"A grant must name an account, or all users with READ (got {group or account!r}, {permission!r})."
            raise service_error("MalformedXML", text)
        if group:
            headers[ACL] = acl
        elif account != bucket.rpartition("-")[2]:  # the owner has all permissions anyway
            accounts.setdefault(name, []).append(f'id="{account}"')
    return headers | {name: ",".join(texts) for name, texts in accounts.items()}


HANDLERS: Final[dict[str, Handler]] = {
    "get_object_acl": get_object_acl, "put_object_acl": put_object_acl, "get_bucket_acl": get_bucket_acl,
}  # fmt: skip
