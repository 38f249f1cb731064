"""Creates and verifies the signature of a request, with the same pure functions.

Invariant: nothing here reads a clock, a socket or a file; time, key and request are arguments. The
signature covers the decoded path, and exactly the headers and parameters that it lists.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from ci_notebook.wire.operations import HostKind, url_encode
from ci_notebook.wire.secret import Secret, reveal
from ci_notebook.wire.service_errors import service_error

# The list of the official Python SDK. Headers that begin with x-cos- or x-ci- are signed as well.
SIGNED_HEADERS: Final = frozenset(
    {
        "cache-control", "content-disposition", "content-encoding", "content-type", "content-md5", "content-length",
        "expect", "expires", "host", "if-match", "if-modified-since", "if-none-match", "if-unmodified-since", "origin",
        "range", "transfer-encoding", "pic-operations",
    }
)  # fmt: skip
TOKEN_NAMES: Final = ("x-ci-security-token", "x-cos-security-token")
# Headers of COS and CI that need no signature: a token, and what changes nothing that a presigned URL grants.
FREE_HEADERS: Final = (*TOKEN_NAMES, "x-cos-sdk-retry", "x-cos-traffic-limit", "x-cos-forbid-overwrite")

# COS refuses requests whose clock is wrong by more.
MAX_SKEW_S: Final = 900

_FIELDS = ("q-sign-algorithm", "q-ak", "q-sign-time", "q-key-time", "q-header-list", "q-url-param-list", "q-signature")


def key_time(now: float, *, valid_s: float = 3600, before_s: float = 60) -> str:
    """Return the validity period of a signature, from a little before `now` (Unix seconds).

    >>> key_time(1700000060, valid_s=10000)
    '1700000000;1700010060'
    """
    return f"{int(now - before_s)};{int(now + valid_s)}"


def headers_to_sign(headers: Mapping[str, str]) -> dict[str, str]:
    """Return the headers that the official SDK would sign. A proxy may change the others."""
    return {name: value for name, value in headers.items() if _is_signed(name.lower())}


def authorization(
    method: str,
    path: str,
    *,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    secret_id: str,
    secret_key: str | Secret,
    key_time: str,
) -> str:
    """Return the `Authorization` header for a request.

    `path` is decoded. All of `query` and `headers` is signed; leave out what must not be signed.
    """
    fields = _signed(_Signable(method, path, _encoded(query), _encoded(headers)), secret_id, secret_key, key_time)
    return "&".join([f"{name}={value}" for name, value in zip(_FIELDS, fields, strict=True)])


def canonical_text(method: str, path: str, *, query: Mapping[str, str], headers: Mapping[str, str]) -> str:
    """Return the text whose digest is signed (`HttpString` on the API page); `path` is decoded."""
    return _text(_Signable(method, path, _encoded(query), _encoded(headers)))


def presigned_query(
    method: str,
    path: str,
    *,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    secret_id: str,
    secret_key: str | Secret,
    key_time: str,
    token: str | None = None,
) -> dict[str, str]:
    """Return the whole query of a signed URL, not yet encoded: signature first, parameters after.

    The `token` of temporary credentials is not signed. Anyone with the URL can use it until `key_time`
    ends; treat it as a secret.
    """
    fields = _signed(_Signable(method, path, _encoded(query), _encoded(headers)), secret_id, secret_key, key_time)
    return {**dict(zip(_FIELDS, fields, strict=True)), **({"x-cos-security-token": token} if token else {}), **query}


def verify(
    method: str,
    path: str,
    *,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    keys: Mapping[str, str | Secret],
    now: float,
    host: HostKind = "ci",
    tokens: Mapping[str, str | Secret] | None = None,
) -> str:
    """Return the SecretId that signed a request, in its header or in its query.

    `path` and `query` are decoded. `keys` maps SecretId to SecretKey, and `tokens` maps the SecretId of
    temporary credentials to their token. `host` selects the error codes of CI or COS. The signature is in
    the header, in the parameters `q-…`, or whole in the parameter `sign`. Headers that change the call (copy
    source, ACL, storage class, tags) must be signed: whoever holds a presigned URL could add them otherwise.
    Raises `SignatureRefused` or a subclass (`UnknownKey`, `ClockSkewed`), or `AccessDenied` for an unsigned
    request to COS.
    """
    at_ci = host not in ("cos", "service")
    lowered = {name.lower(): value for name, value in headers.items()}
    fields = _fields(lowered.get("authorization", ""), query)
    if fields is None:
        raise service_error("MissingAuthorization" if at_ci else "AccessDenied", "The request is not signed.")
    problem = _format_problem(fields)
    if problem:
        raise service_error("InvalidAuthorization" if at_ci else "SignatureDoesNotMatch", problem)
    secret_id = fields["q-ak"]
    if secret_id not in keys:
        raise service_error(
            "SecretidNotExist" if at_ci else "InvalidAccessKeyId", f"No key has the SecretId {secret_id!r:.60}."
        )
    _check_time(fields["q-key-time"], now, at_ci=at_ci)
    token = (tokens or {}).get(secret_id)
    if token is not None and not any(_same(reveal(token), one) for one in _tokens(lowered, query)):
        raise service_error(
            "AccessDenied" if at_ci else "InvalidAccessKeyId",
            "The security token is missing, or belongs to other credentials.",
            status=401 if at_ci else 403,
        )
    params, signed = _listed(fields["q-url-param-list"], query), _listed(fields["q-header-list"], lowered)
    expected = _signatures(_Signable(method, path, params, signed), keys[secret_id], fields["q-key-time"])
    if not any(_same(one, fields["q-signature"]) for one in expected):
        raise service_error(
            "InvalidAuthorization" if at_ci else "SignatureDoesNotMatch",
            "The signature does not match: the SecretKey is wrong, or the request was changed after signing. "
            f"Signed headers: {fields['q-header-list'] or 'none'}; "
            f"signed parameters: {fields['q-url-param-list'] or 'none'}.",
        )
    unsigned = [name for name in lowered if _changes_the_call(name) and url_encode(name).lower() not in signed]
    if unsigned:
        text = f"{', '.join(sorted(unsigned))} must be signed: name it in q-header-list, or leave it out."
        raise service_error("InvalidAuthorization" if at_ci else "SignatureDoesNotMatch", text)
    return secret_id


class _Signable(NamedTuple):
    """The signed parts of a request; parameters and headers are already encoded."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]


def _signed(request: _Signable, secret_id: str, secret_key: str | Secret, span: str) -> tuple[str, ...]:
    """Return the seven fields of a signature, in the order of `_FIELDS`."""
    headers, params = ";".join(sorted(request.headers)), ";".join(sorted(request.params))
    return ("sha1", secret_id, span, span, headers, params, _signature(request, secret_key, span))


def _encoded(pairs: Mapping[str, str]) -> dict[str, str]:
    return {url_encode(name).lower(): url_encode(value) for name, value in pairs.items()}


def _signature(request: _Signable, secret_key: str | Secret, span: str) -> str:
    """Return the signature (steps 2 to 7 of the API page on request signatures)."""
    digest = hashlib.sha1(_text(request).encode(), usedforsecurity=False).hexdigest()
    # The key of the second HMAC is the hexadecimal text of the first one, not its bytes.
    sign_key = hmac.digest(reveal(secret_key).encode(), span.encode(), "sha1").hex()
    return hmac.digest(sign_key.encode(), f"sha1\n{span}\n{digest}\n".encode(), "sha1").hex()


def _text(request: _Signable) -> str:
    return f"{request.method.lower()}\n{request.path}\n{_joined(request.params)}\n{_joined(request.headers)}\n"


def _joined(pairs: Mapping[str, str]) -> str:
    return "&".join([f"{name}={value}" for name, value in sorted(pairs.items())])


def _is_signed(name: str) -> bool:
    return name in SIGNED_HEADERS or name.startswith(("x-cos-", "x-ci-"))


def _changes_the_call(name: str) -> bool:
    is_free = name in FREE_HEADERS or name.startswith("x-cos-meta-")
    return name == "pic-operations" or (name.startswith(("x-cos-", "x-ci-")) and not is_free)


def _fields(header: str, query: Mapping[str, str]) -> dict[str, str] | None:
    if not header.strip() and "q-signature" in query:
        return {name: query[name] for name in _FIELDS if name in query}
    text = header.strip() or query.get("sign", "").strip()
    # A blank within belongs to the value: a SecretId with a blank is another SecretId.
    pairs = (pair.partition("=") for pair in text.split("&"))
    return {name.strip().lower(): value for name, _, value in pairs} if text else None


def _format_problem(fields: Mapping[str, str]) -> str:
    missing = [name for name in _FIELDS if name not in fields]
    if missing:
        return f"The signature lacks {', '.join(missing)}."
    if fields["q-sign-algorithm"] != "sha1":
        return f"The algorithm {fields['q-sign-algorithm']!r:.40} is not supported; use sha1."
    if _span(fields["q-key-time"]) is None:
        return "q-key-time must be two times in Unix seconds, first;last."
    if fields["q-sign-time"] != fields["q-key-time"]:
        return "q-sign-time must be the same as q-key-time: no signature covers a difference."
    return ""


def _span(text: str) -> tuple[int, int] | None:
    first, _, last = text.partition(";")
    is_span = (
        first.isascii() and last.isascii() and first.isdigit() and last.isdigit() and max(len(first), len(last)) <= 12
    )
    return (int(first), int(last)) if is_span else None


def _check_time(span: str, now: float, *, at_ci: bool) -> None:
    first, last = _span(span) or (0, 0)
    if now > last:
        raise service_error(
            "SignatureExpired" if at_ci else "Request has expired",
            f"The signature expired {now - last:.0f} s ago; the service's clock says {now:.0f}.",
        )
    # A start slightly in the future is accepted, because clocks differ.
    if first - now > MAX_SKEW_S:
        raise service_error(
            "SignatureExpired" if at_ci else "RequestTimeTooSkewed",
            f"The signature begins in {first - now:.0f} s; the service's clock says {now:.0f}.",
        )


def _tokens(headers: Mapping[str, str], query: Mapping[str, str]) -> list[str]:
    """Return the tokens of a request. Documentation and SDKs use different header names, so both are read."""
    return [place[name] for place in (headers, query) for name in TOKEN_NAMES if name in place]


def _signatures(request: _Signable, secret_key: str | Secret, span: str) -> Iterator[str]:
    """Yield the expected signature for each form of the host.

    The official SDK signs the host without its port, but sends it with the port.
    """
    yield _signature(request, secret_key, span)
    name, colon, _ = request.headers.get("host", "").rpartition(url_encode(":"))
    if colon:
        yield _signature(request._replace(headers={**request.headers, "host": name}), secret_key, span)


def _listed(names: str, pairs: Mapping[str, str]) -> dict[str, str]:
    """Return the listed pairs, encoded. A listed but absent pair counts as empty, so it does not match."""
    encoded = _encoded(pairs)
    return {name: encoded.get(name, "") for name in names.lower().split(";") if name}


def _same(one: str, other: str) -> bool:
    """Compare in constant time, so that timing does not show where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
