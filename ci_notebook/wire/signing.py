"""The signature of a request (§2): made and checked by the same few pure functions.

The rule of this file: nothing here knows the time, a socket or a file; the moment, the key and
the request come in as arguments. What is signed is the decoded path, and exactly those headers
and parameters that the signature itself lists.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterator, Mapping
from typing import Final, NamedTuple

from ci_notebook.wire.operations import HostKind, url_encode
from ci_notebook.wire.service_errors import service_error

# The fixed list of the official SDK for Python; besides, all that begin with x-cos- or x-ci-.
SIGNED_HEADERS: Final = frozenset(
    {
        "cache-control", "content-disposition", "content-encoding", "content-type", "content-md5", "content-length",
        "expect", "expires", "host", "if-match", "if-modified-since", "if-none-match", "if-unmodified-since", "origin",
        "range", "transfer-encoding", "pic-operations",
    }
)  # fmt: skip
TOKEN_NAMES: Final = ("x-ci-security-token", "x-cos-security-token")

# COS refuses a clock that is off by more (§2.4).
MAX_SKEW_S: Final = 900

_FIELDS = ("q-sign-algorithm", "q-ak", "q-sign-time", "q-key-time", "q-header-list", "q-url-param-list", "q-signature")


def key_time(now: float, *, valid_s: float = 3600, before_s: float = 60) -> str:
    """Return the span in which a signature holds, from a little before `now` (Unix seconds).

    >>> key_time(1700000060, valid_s=10000)
    '1700000000;1700010060'
    """
    return f"{int(now - before_s)};{int(now + valid_s)}"


def headers_to_sign(headers: Mapping[str, str]) -> dict[str, str]:
    """Return those headers that the official SDK would sign. A proxy may change the others."""
    return {name: value for name, value in headers.items() if _is_signed(name.lower())}


def authorization(
    method: str,
    path: str,
    *,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    secret_id: str,
    secret_key: str,
    key_time: str,
) -> str:
    """Return the `Authorization` header for a request.

    `path` is decoded. All of `query` and `headers` is signed; what shall not be is left out.
    """
    fields = _signed(_Said(method, path, _encoded(query), _encoded(headers)), secret_id, secret_key, key_time)
    return "&".join([f"{name}={value}" for name, value in zip(_FIELDS, fields, strict=True)])


def presigned_query(
    method: str,
    path: str,
    *,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    secret_id: str,
    secret_key: str,
    key_time: str,
    token: str | None = None,
) -> dict[str, str]:
    """Return the whole query of a signed URL, not yet encoded: signature first, parameters after.

    A `token` of temporary keys travels unsigned. Whoever has the URL can do what it says until
    `key_time` ends; treat it as a secret.
    """
    fields = _signed(_Said(method, path, _encoded(query), _encoded(headers)), secret_id, secret_key, key_time)
    return {**dict(zip(_FIELDS, fields, strict=True)), **({"x-cos-security-token": token} if token else {}), **query}


def verify(
    method: str,
    path: str,
    *,
    query: Mapping[str, str],
    headers: Mapping[str, str],
    keys: Mapping[str, str],
    now: float,
    host: HostKind = "ci",
    tokens: Mapping[str, str] | None = None,
) -> str:
    """Return the SecretId that signed a request, in its header or in its query.

    `path` and `query` are decoded, `keys` maps SecretId to SecretKey, `tokens` maps the SecretId
    of temporary keys to their token, and `host` chooses between the codes of CI and of COS.
    Raises `SignatureRefused` or one of its kinds (`UnknownKey`, `ClockSkewed`), or `AccessDenied`
    for an unsigned request to COS.
    """
    at_ci = host != "cos"
    given = {name.lower(): value for name, value in headers.items()}
    fields = _fields(given.get("authorization", ""), query)
    if fields is None:
        raise service_error("MissingAuthorization" if at_ci else "AccessDenied", "The request is not signed.")
    unreadable = _unreadable(fields)
    if unreadable:
        raise service_error("InvalidAuthorization" if at_ci else "SignatureDoesNotMatch", unreadable)
    secret_id = fields["q-ak"]
    if secret_id not in keys:
        raise service_error(
            "SecretidNotExist" if at_ci else "InvalidAccessKeyId", f"No key has the SecretId {secret_id!r:.60}."
        )
    _check_time(fields["q-key-time"], now, at_ci=at_ci)
    wanted = (tokens or {}).get(secret_id)
    if wanted is not None and not any(_same(wanted, one) for one in _tokens(given, query)):
        raise service_error(
            "AccessDenied" if at_ci else "InvalidAccessKeyId",
            "The security token is missing, or belongs to other keys.",
            status=401 if at_ci else 403,
        )
    params, signed = _listed(fields["q-url-param-list"], query), _listed(fields["q-header-list"], given)
    right = _signatures(_Said(method, path, params, signed), keys[secret_id], fields["q-key-time"])
    if not any(_same(one, fields["q-signature"]) for one in right):
        raise service_error(
            "InvalidAuthorization" if at_ci else "SignatureDoesNotMatch",
            "The signature does not match: the SecretKey is wrong, or the request was changed after signing. "
            f"Signed headers: {fields['q-header-list'] or 'none'}; "
            f"signed parameters: {fields['q-url-param-list'] or 'none'}.",
        )
    return secret_id


class _Said(NamedTuple):
    """What is signed of a request; parameters and headers are encoded already."""

    method: str
    path: str
    params: Mapping[str, str]
    headers: Mapping[str, str]


def _signed(said: _Said, secret_id: str, secret_key: str, span: str) -> tuple[str, ...]:
    """Return the seven fields of a signature, in the order of `_FIELDS`."""
    headers, params = ";".join(sorted(said.headers)), ";".join(sorted(said.params))
    return ("sha1", secret_id, span, span, headers, params, _signature(said, secret_key, span))


def _encoded(pairs: Mapping[str, str]) -> dict[str, str]:
    return {url_encode(name).lower(): url_encode(value) for name, value in pairs.items()}


def _signature(said: _Said, secret_key: str, span: str) -> str:
    """Return the signature of what is said (§2.1, steps 2 to 7)."""
    digest = hashlib.sha1(_text(said).encode(), usedforsecurity=False).hexdigest()
    # The key of the second step is the hexadecimal text of the first, not its bytes.
    sign_key = hmac.digest(secret_key.encode(), span.encode(), "sha1").hex()
    return hmac.digest(sign_key.encode(), f"sha1\n{span}\n{digest}\n".encode(), "sha1").hex()


def _text(said: _Said) -> str:
    return f"{said.method.lower()}\n{said.path}\n{_joined(said.params)}\n{_joined(said.headers)}\n"


def _joined(pairs: Mapping[str, str]) -> str:
    return "&".join([f"{name}={value}" for name, value in sorted(pairs.items())])


def _is_signed(name: str) -> bool:
    return name in SIGNED_HEADERS or name.startswith(("x-cos-", "x-ci-"))


def _fields(header: str, query: Mapping[str, str]) -> dict[str, str] | None:
    if header.strip():
        pairs = (pair.partition("=") for pair in header.strip().split("&"))
        return {name.strip().lower(): value.strip() for name, _, value in pairs}
    return {name: query[name] for name in _FIELDS if name in query} if "q-signature" in query else None


def _unreadable(fields: Mapping[str, str]) -> str:
    missing = [name for name in _FIELDS if name not in fields]
    if missing:
        return f"The signature lacks {', '.join(missing)}."
    if fields["q-sign-algorithm"] != "sha1":
        return f"The algorithm {fields['q-sign-algorithm']!r:.40} is not known; sha1 is."
    if _span(fields["q-key-time"]) is None:
        return "q-key-time is not two times in Unix seconds, first;last."
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
    # A start a little ahead of us is no reason to refuse: clocks differ.
    if first - now > MAX_SKEW_S:
        raise service_error(
            "SignatureExpired" if at_ci else "RequestTimeTooSkewed",
            f"The signature begins in {first - now:.0f} s; the service's clock says {now:.0f}.",
        )


def _tokens(headers: Mapping[str, str], query: Mapping[str, str]) -> list[str]:
    """Return the tokens of a request. Docs and SDKs disagree on the header's name, so both are read (§1.3)."""
    return [place[name] for place in (headers, query) for name in TOKEN_NAMES if name in place]


def _signatures(said: _Said, secret_key: str, span: str) -> Iterator[str]:
    """Yield the right signature for each host that may have been meant.

    The official SDK signs the host without its port, but sends it with one (§2.2).
    """
    yield _signature(said, secret_key, span)
    name, colon, _ = said.headers.get("host", "").rpartition(url_encode(":"))
    if colon:
        yield _signature(said._replace(headers={**said.headers, "host": name}), secret_key, span)


def _listed(names: str, pairs: Mapping[str, str]) -> dict[str, str]:
    """Return the listed pairs, encoded. One that is listed but not there counts as empty, and so will not match."""
    encoded = _encoded(pairs)
    return {name: encoded.get(name, "") for name in names.lower().split(";") if name}


def _same(one: str, other: str) -> bool:
    """Compare without telling by the time it takes where they differ."""
    return hmac.compare_digest(one.encode(), other.encode())
