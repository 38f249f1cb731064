"""The version in the cache keys changes when pixels can change, and with nothing else."""

from __future__ import annotations

import json

import pytest

from ci_notebook.engine.render import pixel_version as module
from ci_notebook.engine.render.pixel_version import cache_key, pixel_version
from tests.engine.pixel_digest import COMMAND, PINNED, digest, digests


@pytest.fixture
def fresh():
    pixel_version.cache_clear()
    yield
    pixel_version.cache_clear()


def test_no_module_that_decides_over_pixels_changed_unnoticed():
    pinned, now = json.loads(PINNED.read_text(encoding="utf-8")), digests()
    changed = sorted(name for name in {*pinned, *now} if pinned.get(name) != now.get(name))
    assert not changed, (
        f"Changed: {', '.join(changed)}. If the same job may give other bytes now, raise PIXEL_VERSION in "
        f"ci_notebook/engine/render/pixel_version.py. Then pin the new digests: {COMMAND}"
    )


def test_a_digest_ignores_comments_docstrings_and_layout():
    plain = digest("def f(x):\n    return x + 1\n")
    assert digest('"""Doc."""\n\n\ndef f(x):  # note\n    """Doc."""\n    return (\n        x + 1\n    )\n') == plain
    assert digest("def f(x):\n    return x + 2\n") != plain
    assert digest("def f(x):\n    return 'x'\n") != plain


def test_a_key_depends_on_all_facts_and_on_the_version(monkeypatch):
    first = cache_key("leading", "c0ffee", 2)
    assert first == cache_key("leading", "c0ffee", 2) != cache_key("leading", "c0ffee", 3)
    monkeypatch.setattr(module, "pixel_version", lambda: "another")
    assert cache_key("leading", "c0ffee", 2) != first


@pytest.mark.parametrize("part", ["number", "ffmpeg", "onnxruntime", "weights"])
def test_the_version_depends_on_each_of_its_parts(part, fresh, monkeypatch, tmp_path):
    before = pixel_version()
    pixel_version.cache_clear()
    assert pixel_version() == before
    pixel_version.cache_clear()
    if part == "number":
        monkeypatch.setattr(module, "PIXEL_VERSION", module.PIXEL_VERSION + 1)
    elif part == "ffmpeg":
        monkeypatch.setattr(module, "capabilities", lambda: type("Capabilities", (), {"version": "0.1"}))
    elif part == "onnxruntime":
        monkeypatch.setattr(module.importlib.metadata, "version", lambda package: f"{package} 0.1")
    else:
        (tmp_path / "other.onnx").write_bytes(b"other weights")
        monkeypatch.setattr(module, "WEIGHTS", tmp_path / "other.onnx")
    assert pixel_version() != before
