"""Voila behind the gate, as a program: `python -m ci_notebook.cli.page_server.server` with the options of Voila.

It prints the address with the token once it listens. Invariant: the token is in the printed address and in the file
that opens the browser, and nowhere else: not in a command line, a log, an environment, or the page.
"""

from __future__ import annotations

import html
import logging
import os
import secrets
import threading
import webbrowser
from pathlib import Path
from typing import Any, Final

from tornado.httputil import HTTPServerRequest
from tornado.ioloop import PeriodicCallback
from tornado.routing import Matcher, Rule
from tornado.web import RequestHandler
from traitlets import Bool
from voila.app import Voila

from ci_notebook.cli.page_server.gate import Gate, Seen

log = logging.getLogger(__name__)

_HEADERS: Final = {
    "Content-Security-Policy": "frame-ancestors 'none'",
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PAGE: Final = "<!DOCTYPE html><html lang=en><meta charset=utf-8><title>{title}</title>{head}<p>{text}</p></html>"
_PARENT_MS: Final = 2000


class PageServer(Voila):  # type: ignore[misc]  # Voila has no types
    """Voila for one notebook. Every request passes the gate first, websockets too."""

    name = "ci-notebook-app"
    opens_browser = Bool(True, config=True, help="open the page in a browser")
    open_browser = True  # Voila then calls `launch_browser`, once it listens

    def init_settings(self) -> dict[str, Any]:
        """Return the settings of the web application."""
        self.gate_token = secrets.token_urlsafe(32)
        self.gate = Gate(port=self.port, token=self.gate_token)
        settings: dict[str, Any] = super().init_settings()
        return {**settings, "headers": _HEADERS, "log_function": _log_request}

    def init_handlers(self) -> list[Any]:
        """Return the handlers, with the gate before all others."""
        return [Rule(_Stopped(self.gate), _GateHandler, {"gate": self.gate}), *super().init_handlers()]

    @property
    def printed_url(self) -> str:
        """The address that opens the page."""
        return f"http://127.0.0.1:{self.port}/?token={self.gate_token}"

    def launch_browser(self) -> None:
        """Print the address, and open it unless `opens_browser` is off. Voila calls this once it listens."""
        print(f"The page is at {self.printed_url} – Ctrl-C stops.", flush=True)
        parent = os.getppid()

        def look_at_parent() -> None:
            if os.getppid() != parent:  # it was killed: nobody could stop this process any more
                self.ioloop.stop()

        PeriodicCallback(look_at_parent, _PARENT_MS).start()
        if self.opens_browser:
            # Other users can read command lines, so the browser gets a file of this user, which leads to the address.
            file = Path(self.connection_dir) / "open.html"
            file.touch(mode=0o600)
            file.write_text(_leading_to(self.printed_url), encoding="utf-8")
            threading.Thread(target=webbrowser.open, args=(file.as_uri(),), daemon=True).start()


class _Stopped(Matcher):
    """Matches the requests that the gate does not let pass."""

    def __init__(self, gate: Gate) -> None:
        self._gate = gate

    def match(self, request: HTTPServerRequest) -> dict[str, Any] | None:
        """Return None for a request that passes."""
        return None if self._gate.decide(_seen(self._gate, request)).action == "pass" else {}


class _GateHandler(RequestHandler):
    """Gives the cookie to who has the token, and refuses all others."""

    def initialize(self, gate: Gate) -> None:
        self._gate = gate

    def set_default_headers(self) -> None:
        for name, value in {**_HEADERS, "Cache-Control": "no-store"}.items():
            self.set_header(name, value)

    def prepare(self) -> None:
        decision = self._gate.decide(_seen(self._gate, self.request))
        if decision.action != "enter":
            self.set_status(403)
            self.finish(_PAGE.format(title="Refused", head="", text=html.escape(decision.reason)))
            return
        self.set_cookie(self._gate.cookie_name, self._gate.cookie_value, httponly=True, samesite="Strict", path="/")
        if decision.by_page:
            self.finish(_leading_to("/"))
        else:
            self.redirect("/", status=303)


def _seen(gate: Gate, request: HTTPServerRequest) -> Seen:
    cookie = request.cookies.get(gate.cookie_name)
    return Seen(
        method=request.method or "",
        path=request.path,
        tokens=[value.decode("utf-8", "replace") for value in request.query_arguments.get("token", [])],
        hosts=request.headers.get_list("Host"),
        origins=request.headers.get_list("Origin"),
        sites=request.headers.get_list("Sec-Fetch-Site"),
        cookie=cookie.value if cookie is not None else "",
    )


def _leading_to(url: str) -> str:
    """Return a page that opens a URL."""
    link = html.escape(url)
    head = f'<meta http-equiv=refresh content="0;url={link}">'
    return _PAGE.format(title="Opening", head=head, text=f'<a href="{link}">Open the page</a>')


def _log_request(handler: RequestHandler) -> None:
    """Log the requests that failed here, without their query: it may hold the token."""
    if handler.get_status() >= 500:
        log.error("%d %s %s", handler.get_status(), handler.request.method, handler.request.path)


if __name__ == "__main__":
    PageServer.launch_instance()
