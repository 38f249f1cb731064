"""What axe, which checks accessibility, finds wrong with a page."""

from __future__ import annotations

import pytest

axe = pytest.importorskip("axe_playwright_python.sync_playwright", reason="axe-playwright-python is not installed")


def serious(page, selector):
    """Return what is of serious or critical impact below a selector."""
    found = axe.Axe().run(page, context=selector).response["violations"]
    return [
        f"{one['id']}: {node['html'][:120]}"
        for one in found
        if one["impact"] in ("serious", "critical")
        for node in one["nodes"]
    ]
