"""Secrets and machine-specific content are found anywhere in a notebook, and never printed."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import subprocess
import sys
import uuid
from pathlib import Path
from random import Random
from typing import Any
from urllib.parse import quote

import pytest
import yaml
from PIL import Image, PngImagePlugin

from ci_notebook.cli import main
from ci_notebook.cli.check_notebook import check_notebook, strip_widget_state
from ci_notebook.cli.lab import tutorials
from ci_notebook.cli.secret_search.secret_patterns import Known

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted(tutorials().glob("*.ipynb"))
# Made up for these tests, in the shape of the real ones.
SECRET_ID = "AKID" + "z8krbsJ5yKBZQpn74WFkmLPx3Hk2vQ9d"
SECRET_KEY = "Gu5t9xGARNpq86cd98joQYCN3Cozk1qA"
TOKEN = "l5TMkRnWe1b/Vx9qLZd0Xj+7aQk3s8Yh2dPc6uRfT4gBnM=="
SIGNATURE = "4a8d52b8f0cd5b4f3f6d3c3fd2e0a1f2b3c4d5e6"
SIGNED = f"https://b-1250000000.cos.ap-chongqing.myqcloud.com/a.mp4?q-sign-algorithm=sha1&q-signature={SIGNATURE}"


def notebook(path: Path, *cells: dict[str, Any], **metadata: Any) -> Path:
    whole = {"cells": list(cells), "metadata": metadata, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(whole, indent=1, ensure_ascii=False) + "\n", "utf-8")
    return path


def code(source: str = "", **data: Any) -> dict[str, Any]:
    shown = [{"output_type": "display_data", "data": data, "metadata": {}}] if data else []
    lines = source.splitlines(keepends=True)
    return {"cell_type": "code", "execution_count": 1, "metadata": {}, "outputs": shown, "source": lines}


def packed(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


@pytest.fixture
def known(tmp_path: Path) -> Known:
    home = tmp_path / "home"
    (home / ".tencentcloud").mkdir(parents=True)
    ini = f"[default]\nsecret_id = {SECRET_ID}\nsecret_key = {SECRET_KEY}\n"
    (home / ".tencentcloud" / "credentials").write_text(ini)
    return Known(environ={"TENCENTCLOUD_TOKEN": TOKEN}, home=home, root=tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_our_own_notebooks_pass(path: Path) -> None:
    assert check_notebook(path, dates=True) == []


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (f'keys = "{SECRET_ID}"', "a SecretId"),
        (f"%env TENCENTCLOUD_SECRET_KEY={SECRET_KEY}", "a SecretKey"),
        (f'os.environ["TENCENTCLOUD_SECRET_KEY"] = "{SECRET_KEY}"', "a SecretKey"),
        (f'config = dict(SecretKey="{SECRET_KEY}")', "a SecretKey"),
        (f"<SecretKey>{SECRET_KEY}</SecretKey>", "a SecretKey"),
        (f'session_token = "{TOKEN}"', "a token of temporary keys"),
        (f"x-cos-security-token: {TOKEN}", "a token of temporary keys"),
        (f"Authorization: q-sign-algorithm=sha1&q-signature={SIGNATURE}", "a signature"),
        (f'url = "{SIGNED}"', "a signature"),
        (f"{quote(SIGNED, safe='')}", "a signature"),
        ("-----BEGIN RSA PRIVATE KEY-----", "a private key"),
        ("http://127.0.0.1:8888/lab?token=3fe1d6a0b5c84e27a9d1f0c2b3a495867", "a token"),
        ('open("/home/somebody/clips/a.mp4")', "a path of one machine"),
        ('open(r"C:\\Users\\somebody\\a.mp4")', "a path of one machine"),
        ('open("file:///tmp/a.mp4")', "a path of one machine"),
    ],
)
def test_a_secret_or_path_is_found_by_its_shape(source: str, what: str, tmp_path: Path) -> None:
    nothing = Known(environ={}, home=tmp_path / "nobody", root=tmp_path)
    (found,) = check_notebook(notebook(tmp_path / "a.ipynb", code("import os\n" + source)), known=nothing)
    assert (found.cell, found.line, found.where, found.what) == (1, 2, "source", what)


@pytest.mark.parametrize(
    "source",
    [
        "lab = ci.connect('mybucket-1250000000', region='ap-chongqing')",
        "secret_key = os.environ['TENCENTCLOUD_SECRET_KEY']",
        "secret_key = (os.environ['TENCENTCLOUD_SECRET_KEY_2_OF_THE_CLASS'])",
        "ci.Credentials(secret_id=my_secret_id, secret_key=my_own_secret_key_of_this_session)",
        "export TENCENTCLOUD_SECRET_ID=AKIDxxxxxxxxxxxxxxxxxxxx TENCENTCLOUD_SECRET_KEY=your-key-1-goes-here",
        "https://example.com/home/page, ~/clips/a.mp4, notebooks/tmp/a.mp4, and 1/tmp/2",
        "each token = 1; tokens: 12; the secret key is yours",
    ],
)
def test_harmless_text_is_left_alone(source: str, tmp_path: Path) -> None:
    assert check_notebook(notebook(tmp_path / "a.ipynb", code(source)), known=Known(environ={}, home=tmp_path)) == []


@pytest.mark.parametrize("secret", [SECRET_ID, SECRET_KEY, TOKEN], ids=["SecretId", "SecretKey", "token"])
@pytest.mark.parametrize(
    "hidden",
    [
        {"text/plain": "see {}"},
        {"text/html": "<p title='{}'>"},
        {"text/html": "<img src='data:image/svg+xml;base64,<{}>'>"},
        {"image/png": "<{}>"},
        {"application/json": {"deep": ["{}"]}},
        {"text/plain": "{url}"},
        {"text/plain": "{base64}"},
    ],
    ids=["text", "html", "data address", "picture", "json", "in a URL", "in base64"],
)
def test_a_secret_of_the_user_is_found_anywhere(
    secret: str, hidden: dict[str, Any], known: Known, tmp_path: Path
) -> None:
    def put(text: str) -> str:
        text = text.replace("{url}", f"?t={quote(secret, safe='')}").replace("{base64}", packed(f"ab {secret} c"))
        return re.sub(r"<\{\}>", packed(f"PNG {secret}"), text).replace("{}", secret)

    ((kind, value),) = hidden.items()
    cell = code("show()", **{kind: {"deep": [secret]} if isinstance(value, dict) else put(value)})
    found = check_notebook(notebook(tmp_path / "a.ipynb", code("1"), cell), known=known)
    assert {one.cell for one in found} == {2}
    said = f"{[*map(str, found)]}{found!r}{known!r}"
    assert secret not in said and quote(secret, safe="") not in said


def test_widget_state_is_found_with_the_secret_in_it_and_fix_takes_out_nothing_else(
    known: Known, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    state = {"application/vnd.jupyter.widget-state+json": {"state": {"a": {"state": {"value": SECRET_KEY}}}}}
    kernel = {"kernelspec": {"name": "python3"}, "language_info": {"name": "python"}}
    source = 'print("é", {"widgets": 1})\n'
    path = notebook(tmp_path / "a.ipynb", code(source), **kernel, widgets=state, zebra=1)
    found = check_notebook(path, known=known)
    assert [(one.cell, one.where) for one in found] == [(0, "metadata.widgets"), (0, "metadata")]
    assert "the SecretKey of ~/.tencentcloud/credentials" in found[1].what

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert main(["check-notebook", str(path)]) == 1
    assert main(["check-notebook", "--fix", str(path)]) == 0
    said = capsys.readouterr()
    assert SECRET_KEY not in said.out + said.err
    assert "removed the widget state" in said.out
    assert path.read_bytes() == notebook(tmp_path / "b.ipynb", code(source), **kernel, zebra=1).read_bytes()


@pytest.mark.parametrize("others", [{}, {"before": 1}, {"zafter": 1}, {"before": [1], "zafter": {}}])
@pytest.mark.parametrize("indent", [None, 1, 4])
def test_everything_around_widget_state_stays(others: dict[str, Any], indent: int | None, tmp_path: Path) -> None:
    metadata = {name: others[name] for name in others if name[0] < "w"} | {"widgets": {"a": {"}": "{"}}} | others
    whole = {"metadata": metadata, "cells": [], "nbformat": 4}
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(whole, indent=indent))
    assert strip_widget_state(path)
    assert json.loads(path.read_text()) == {**whole, "metadata": others}
    assert not strip_widget_state(path)


def test_large_outputs_dates_and_invalid_notebooks_are_reported(tmp_path: Path) -> None:
    cell = code("a", **{"text/plain": "made 2026-03-04T05:06:07Z" + "x" * 3000})
    path = notebook(tmp_path / "a.ipynb", cell)
    known = Known(environ={}, home=tmp_path / "nobody")
    assert check_notebook(path, known=known) == []
    found = check_notebook(path, known=known, dates=True, largest_output_kb=2)
    assert [one.what for one in found] == ["a date with a time", "the outputs hold 3 kB, more than 2"]
    (tmp_path / "b.ipynb").write_text("{}")
    for name, why in (("b.ipynb", "cannot be read as a notebook"), ("missing.ipynb", "There is no file")):
        (one,) = check_notebook(tmp_path / name, known=known)
        assert why in one.what


def test_errors_and_printed_text_of_a_cell_are_checked_too(known: Known, tmp_path: Path) -> None:
    error = {"output_type": "error", "ename": "E", "evalue": "", "traceback": ["File /home/x/a.py", SECRET_KEY]}
    printed = {"output_type": "stream", "name": "stderr", "text": ["one\n", f"{SECRET_ID}\n"]}
    cell = code() | {"outputs": [error, printed]}
    found = check_notebook(notebook(tmp_path / "a.ipynb", cell), known=known)
    assert [(one.line, one.where) for one in found] == [(3, "output error"), (2, "output error"), (2, "output stderr")]


@pytest.mark.slow
def test_it_is_a_hook_for_pre_commit(tmp_path: Path) -> None:
    (hook,) = yaml.safe_load((ROOT / ".pre-commit-hooks.yaml").read_text("utf-8"))
    assert hook["language"] == "python" and hook["types"] == ["jupyter"]
    program, *verb = hook["entry"].split()
    assert program == "ci-notebook"
    bad = notebook(tmp_path / "bad.ipynb", code(SECRET_ID))
    command = [sys.executable, "-m", "ci_notebook", *verb, str(NOTEBOOKS[0]), str(bad)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert f"{bad}:1:1: source: a SecretId" in done.stdout and SECRET_ID not in done.stdout + done.stderr


ESCAPED = "".join(f"\\u{ord(one):04x}" for one in SECRET_KEY)
ENTITIES = "".join(f"&#{ord(one)};" for one in SECRET_KEY)
PERCENT = "".join(f"%{ord(one):02X}" for one in SECRET_KEY)
HALF, REST = SECRET_KEY[:16], SECRET_KEY[16:]


def png(text: str) -> str:
    info = PngImagePlugin.PngInfo()
    info.add_text("note", text, zip=True)
    data = io.BytesIO()
    Image.new("L", (4, 4)).save(data, "PNG", pnginfo=info)
    return base64.b64encode(data.getvalue()).decode()


def stream(*pieces: str) -> dict[str, Any]:
    return code() | {"outputs": [{"output_type": "stream", "name": "stdout", "text": piece} for piece in pieces]}


DISGUISED: dict[str, dict[str, Any]] = {
    "split by +": code(f"k = '{HALF}' + '{REST}'"),
    "adjacent strings": code(f"k = ('{HALF}'\n     f'{REST}')"),
    "joined from a list": code(f"k = ''.join(['{HALF}', '{REST}'])"),
    "two variables": code(f"a = '{HALF}'\nfor _ in range(3): pass\nb = '{REST}'"),
    "three parts": code(f"k = '{SECRET_KEY[:10]}' + \\\n '{SECRET_KEY[10:20]}' + '{SECRET_KEY[20:]}'"),
    "escapes": code(f"k = '{ESCAPED}'"),
    "hexadecimal escapes": code("k = b'" + "".join(f"\\x{ord(one):02x}" for one in SECRET_KEY) + "'"),
    "entities": code("x", **{"text/html": f"<i>{ENTITIES}</i>"}),
    "tags between": code("x", **{"text/html": f"<b>{HALF}</b><i>{REST}</i>"}),
    "URL-encoded": code(f"k = '{PERCENT}'"),
    "URL-encoded twice": code(f"k = '{PERCENT.replace('%', '%25')}'"),
    "colors": stream(f"{HALF}\x1b[0m\x1b[1;31m{REST}"),
    "pieces of a stream": stream(HALF, REST),
    "zero width": code(f"k = '{HALF}\u200b{REST}'"),
    "hexadecimal": code(f"k = bytes.fromhex('{SECRET_KEY.encode().hex()}')"),
    "hexadecimal with blanks": code(f"k = bytes.fromhex('{SECRET_KEY.encode().hex(' ')}')"),
    "numbers": code(f"k = bytes({[*SECRET_KEY.encode()]})"),
    "base64 twice": code(f"k = '{packed(packed(SECRET_KEY))}'"),
    "base64 of a file": code(
        base64.encodebytes(f"# a long comment of this file\n[default]\nk = {SECRET_KEY}".encode()).decode()
    ),
    "gzip": code(f"k = '{base64.b64encode(gzip.compress(SECRET_KEY.encode())).decode()}'"),
    "reversed": code(f"k = '{SECRET_KEY[::-1]}'[::-1]"),
    "other case": code(f"k = '{SECRET_KEY.swapcase()}'.swapcase()"),
    "compressed text of a picture": code("x", **{"image/png": png(SECRET_KEY)}),
    "name of an error": code() | {
        "outputs": [{"output_type": "error", "ename": SECRET_KEY, "evalue": "", "traceback": []}]
    },
    "cell id": code("x") | {"id": SECRET_KEY},
    "name of an attachment": code("x") | {"attachments": {SECRET_KEY: {"text/plain": "x"}}},
    "MIME type": code("x", **{f"text/x-{SECRET_KEY}": "x"}),
    "name of a stream": code("x") | {"outputs": [{"output_type": "stream", "name": SECRET_KEY, "text": "x"}]},
    "name in the metadata": code("x") | {"metadata": {SECRET_KEY: 1}},
}  # fmt: skip


@pytest.mark.parametrize("name", DISGUISED)
def test_a_disguised_secret_of_the_user_is_found_and_not_shown(name: str, known: Known, tmp_path: Path) -> None:
    found = check_notebook(notebook(tmp_path / "a.ipynb", code("1"), DISGUISED[name]), known=known)
    assert found and {one.cell for one in found} == {2}
    assert not any(part in "".join(map(str, found)) for part in (SECRET_KEY, HALF, REST, SECRET_KEY.lower()))


def test_a_secret_outside_the_cells_is_found(known: Known, tmp_path: Path) -> None:
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps({"cells": [], "metadata": {}, "nbformat": 4, "note": SECRET_KEY}))
    (found,) = check_notebook(path, known=known)
    assert (found.cell, found.where) == (0, "notebook")


@pytest.mark.parametrize(
    ("source", "what"),
    [
        (f"%env TENCENTCLOUD_SECRET_KEY {SECRET_KEY}", "a SecretKey"),
        (f"!export TENCENTCLOUD_SECRET_KEY={SECRET_KEY}", "a SecretKey"),
        (f"!tccli configure set secretKey {SECRET_KEY}", "a SecretKey"),
        (f"**SecretKey**: `{SECRET_KEY}`", "a SecretKey"),
        (f"| SecretKey | {SECRET_KEY} |", "a SecretKey"),
        (f"<td>SecretKey</td><td>{SECRET_KEY}</td>", "a SecretKey"),
        (f'print("{{\\"SecretKey\\": \\"{SECRET_KEY}\\"}}")', "a SecretKey"),
        (f'secret_key = b"{SECRET_KEY}"', "a SecretKey"),
        (f'secret_key = ("{SECRET_KEY}")', "a SecretKey"),
        (f"secret_key = ('{HALF}'\n    '{REST}')", "a SecretKey"),
        (f'{{"secret_key": ["{SECRET_KEY}"]}}', "a SecretKey"),
        (f'secret_key = "{HALF}" + "{REST}"', "a SecretKey"),
        (f'ci.Credentials(my_id, "{SECRET_KEY}")', "a SecretKey"),
        (f'"{SECRET_ID[:4]}" "{SECRET_ID[4:]}"', "a SecretId"),
        (f"k = '{packed('secret_key = ' + SECRET_KEY)}'", "a SecretKey in encoded data"),
        (quote(quote(SIGNED, safe=""), safe=""), "a signature"),
        (f"token = eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{SECRET_KEY}", "a token"),
    ],
)  # fmt: skip
def test_an_unknown_secret_is_found_in_more_shapes(source: str, what: str, tmp_path: Path) -> None:
    nothing = Known(environ={}, home=tmp_path / "nobody", root=tmp_path)
    found = check_notebook(notebook(tmp_path / "a.ipynb", code("import os\n" + source)), known=nothing)
    assert {(one.line, one.what) for one in found} == {(2, what)}


def test_hashes_ids_and_other_long_words_are_left_alone(known: Known, tmp_path: Path) -> None:
    random = Random(7)
    sources = [
        *(random.randbytes(size).hex() for size in (16, 20, 32, 64)),
        *(base64.b64encode(random.randbytes(size)).decode() for size in (16, 33, 300)),
        *(str(uuid.UUID(bytes=random.randbytes(16))) for _ in range(5)),
        "numbers = " + str([random.randrange(300) for _ in range(100)]),
        "secret_key = get_the_secret(\n    'name_of_the_secret_1')", "SecretKey: 'a' + 'b'",
        "a = 'secret_key' + 'x' * 20",
        "100%25 of %41%42%43", "&lt;SecretKey&gt;&amp;nbsp;", "\\u0041\\u0042",
        "import secrets; key = secrets.token_hex(16)",
        "<td>SecretKey</td><td>the second of the pair</td>", "address_key, secret_key = s3_connection\n    address = 1",
    ]  # fmt: skip
    path = notebook(tmp_path / "a.ipynb", *map(code, sources), *(stream(one) for one in sources))
    assert check_notebook(path, known=known) == []
