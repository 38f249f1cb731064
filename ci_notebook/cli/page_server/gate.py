"""The check of every request to the page of the verb `app`: Host, Origin, token and cookie.

The page runs code of the user. So a web page from elsewhere, a program of another account, and a name that was
pointed to this machine (DNS rebinding) must not reach it. Invariant: what this module refuses never reaches Voila.
"""

from __future__ import annotations

import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, Literal

__all__ = ["Decision", "Gate", "Seen"]

# Names of this machine that nobody else can point elsewhere. The port may differ behind an SSH tunnel.
_OWN_HOST: Final = re.compile(r"(?:127\.0\.0\.1|localhost)(?::[0-9]{1,5})?")
_WITHOUT: Final = "Open the address that `ci-notebook app` printed. It ends with the token of this page."


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """The parts of a request that are checked. A header is given with all its values, in their order."""

    method: str
    path: str
    tokens: Sequence[str] = ()
    hosts: Sequence[str] = ()
    origins: Sequence[str] = ()
    sites: Sequence[str] = ()  # Sec-Fetch-Site
    cookie: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True)
class Decision:
    """The fate of a request: it passes, it gets the cookie (enter), or it is refused with a reason.

    With `by_page` the cookie comes with a page that opens the next one. A redirect would not do: browsers do not
    send a cookie for the same site along a redirect that began on another site.
    """

    action: Literal["pass", "enter", "refuse"]
    reason: str = ""
    by_page: bool = False


class Gate:
    """Lets in the requests of one browser session. `token` opens it, and then the cookie `cookie_name` keeps it open.

    >>> gate = Gate(port=8866, token="abc")
    >>> gate.decide(Seen(method="GET", path="/", hosts=["127.0.0.1:8866"])).action
    'refuse'
    >>> gate.decide(Seen(method="GET", path="/", tokens=["abc"], hosts=["127.0.0.1:8866"])).action
    'enter'
    """

    def __init__(self, *, port: int, token: str) -> None:
        # Cookies of one host are shared by its ports, so the name has the port, and the value is not the token.
        self.cookie_name: Final = f"ci-notebook-app-{port}"
        self.cookie_value: Final = secrets.token_urlsafe(32)
        self._token = token

    def __repr__(self) -> str:
        return f"<Gate {self.cookie_name}>"

    def decide(self, seen: Seen) -> Decision:
        """Return what happens to a request."""
        host = seen.hosts[0].lower() if len(seen.hosts) == 1 else ""
        if not _OWN_HOST.fullmatch(host):
            return Decision(
                "refuse", "This page accepts only the hosts 127.0.0.1 and localhost. Use one of them in the address."
            )
        if seen.origins and [one.lower() for one in seen.origins] != [f"http://{host}"]:
            return Decision("refuse", f"This page accepts no requests from other pages. {_WITHOUT}")
        is_foreign = any(site not in ("same-origin", "none") for site in seen.sites)
        if seen.tokens:
            may_enter = seen.method == "GET" and seen.path == "/" and len(seen.tokens) == 1
            is_right = may_enter and _is_equal(seen.tokens[0], self._token)
            return Decision("enter", by_page=is_foreign) if is_right else Decision("refuse", _WITHOUT)
        if is_foreign:
            return Decision("refuse", f"This page accepts no requests from other pages. {_WITHOUT}")
        return Decision("pass") if _is_equal(seen.cookie, self.cookie_value) else Decision("refuse", _WITHOUT)


def _is_equal(given: str, right: str) -> bool:
    """Compare in constant time, so that the time of an answer says nothing about the secret."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), right.encode())
