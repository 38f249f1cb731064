"""Proxies and certificates of the environment: each works, or one sentence names the variable."""

import sys

import httpx
import pytest

from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.failures import ConnectionFailed
from ci_notebook.client.connection.proxies import NetworkTransport, proxy_for
from ci_notebook.client.connection.transport import AddressTransport
from ci_notebook.model.errors import CIError, ParameterError

PROXY = "http://proxy.example:3128"
HOST = "lab-1250000000.cos.ap-chongqing.myqcloud.com"


@pytest.fixture(autouse=True)
def bare_environment(monkeypatch):
    for name in ("HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.lower(), raising=False)


@pytest.mark.parametrize(
    ("no_proxy", "host", "is_exempt"),
    [
        ("", HOST, False),
        ("*", HOST, True),
        (HOST, HOST, True),
        (HOST.upper(), HOST, True),
        ("myqcloud.com", HOST, True),
        (".myqcloud.com", HOST, True),
        ("*.myqcloud.com", HOST, True),
        ("cloud.com", HOST, False),
        ("https://myqcloud.com", HOST, True),
        ("myqcloud.com:443", HOST, True),
        ("myqcloud.com:80", HOST, False),
        (" a.example , myqcloud.com ", HOST, True),
        ("[::1]", "::1", True),
        ("::1", "[::1]", True),
        ("[::1]:443", "::1", True),
        ("[::1]:80", "::1", False),
        ("0:0:0:0:0:0:0:1", "::1", True),
        ("fd00::/8", "fd12::3", True),
        ("fd00::/8", "fe80::3", False),
        ("[fd00::]/8", "fd12::3", True),
        ("10.0.0.0/8", "10.1.2.3", True),
        ("10.0.0.1/8", "10.1.2.3", True),
        ("10.0.0.0/8", "11.1.2.3", False),
        ("10.0.0.0/8", "10.example", False),
        ("10.0.0.0/99", "10.0.0.1", False),
        ("127.*", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.1", True),
        ("localhost,127.0.0.1,::1", "127.0.0.2", False),
        (":::,[,]:x,/,%", HOST, False),
    ],
)
def test_no_proxy_exempts_names_addresses_and_networks(no_proxy, host, is_exempt):
    address = proxy_for(host, 443, "https", {"https": PROXY, "no": no_proxy})
    assert address == ("" if is_exempt else PROXY)


def test_a_proxy_is_chosen_by_scheme_and_all_is_the_last_choice():
    proxies = {"http": "http://a:1", "all": "b:2"}
    assert proxy_for(HOST, 80, "http", proxies) == "http://a:1"
    assert proxy_for(HOST, 443, "https", proxies) == "http://b:2"


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("ftp://proxy.example", "kind 'ftp'"),
        ("http://user:hunter2secret@[::1", "not the address of a proxy"),
        ("http://proxy.example:port", "not the address of a proxy"),
    ],
)
def test_an_impossible_proxy_is_refused_by_its_variable_and_shows_no_password(monkeypatch, value, words):
    monkeypatch.setenv("HTTPS_PROXY", value)
    with pytest.raises(ParameterError, match="HTTPS_PROXY") as caught:
        Client("lab-1250000000", region="ap-chongqing", credentials=Credentials("a", "b"))
    assert words in str(caught.value)
    assert "hunter2secret" not in str(caught.value)


@pytest.mark.parametrize("scheme", ["socks5", "socks5h"])
def test_a_socks_proxy_without_its_package_is_named(monkeypatch, scheme):
    monkeypatch.setenv("ALL_PROXY", f"{scheme}://127.0.0.1:9")
    monkeypatch.setitem(sys.modules, "socksio", None)
    with pytest.raises(ParameterError, match=r"ALL_PROXY names a SOCKS proxy.*ci-notebook\[socks\]"):
        NetworkTransport()


def test_a_dead_proxy_does_not_disturb_an_address_on_this_machine(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    with httpx.Client(transport=AddressTransport("http://127.0.0.1:9")) as http, pytest.raises(httpx.ConnectError):
        http.get("http://lab.example/")  # refused by the address itself; a proxy would give ProxyError or a reply


def test_a_dead_proxy_is_named_in_the_error(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    client = Client("lab-1250000000", region="ap-chongqing", credentials=Credentials("a", "b"), sleep=lambda _: None)
    with pytest.raises(ConnectionFailed, match="proxy of HTTPS_PROXY") as caught:
        client.job("j1")
    assert isinstance(caught.value, CIError)
    assert caught.value.host in str(caught.value)
    assert not caught.value.was_sent


@pytest.mark.parametrize("variable", ["SSL_CERT_FILE", "SSL_CERT_DIR"])
def test_certificates_that_point_nowhere_are_named(monkeypatch, tmp_path, variable):
    monkeypatch.setenv(variable, str(tmp_path / "nowhere"))
    if variable == "SSL_CERT_DIR":
        NetworkTransport().close()  # OpenSSL takes a missing folder as an empty one
        return
    with pytest.raises(ParameterError, match=variable):
        NetworkTransport()
    AddressTransport("http://127.0.0.1:9").close()  # needs no certificate


def test_a_certificate_file_with_other_content_is_named(monkeypatch, tmp_path):
    (tmp_path / "ca.pem").write_text("no certificate")
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "ca.pem"))
    with pytest.raises(ParameterError, match="SSL_CERT_FILE"):
        NetworkTransport()
