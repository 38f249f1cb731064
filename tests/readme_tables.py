"""The README's table of leaves, written from the declarations: `python tests/readme_tables.py` brings it up to date."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from ci_notebook.engine.pictures.acted import ACTED, REFUSED
from ci_notebook.model.jobs import Operation
from ci_notebook.model.paths import Leaf, leaves

README = Path(__file__).parent.parent / "README.md"


def table() -> str:
    """Return the table as Markdown, a row a leaf that can be sent, a heading a stage."""
    head = "| Leaf below `Operation` | Takes | When absent | What it does | Sent | Engine |"
    rows = [head, "|---|---|---|---|---|---|"]
    rows += [_row(leaf) for leaf in leaves(Operation) if not any(step.param.reply for step in leaf.steps)]
    return "\n".join(rows)


def written(text: str) -> str:
    """Return the README with the table between its two marks replaced."""
    return re.sub(
        r"(<!-- table: leaves .*?-->\n).*?(<!-- end of table -->)",
        lambda found: f"{found[1]}{table()}\n{found[2]}",
        text,
        flags=re.DOTALL,
    )


def _row(leaf: Leaf) -> str:
    param = leaf.part.param
    engine = "acted on" if leaf.path in ACTED else f"refused: {REFUSED[leaf.path]}"
    many = " (repeat)" if not leaf.single else ""
    cells = (f"`{leaf.path}`{many}", leaf.part.allowed(), param.default or "–", param.help, "yes", engine)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    README.write_text(written(README.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit(0)
