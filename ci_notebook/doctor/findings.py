"""One finding of the doctor, and the report of all findings as text, HTML and JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Final, Literal

from ci_notebook._folders import account_home
from ci_notebook.model.html import bold, table_html

State = Literal["OK", "warning", "problem"]
_SIGNS: Final = {"OK": "✓", "warning": "!", "problem": "✗"}


@dataclass(frozen=True, slots=True)
class Finding:
    """The result of one check. `remedy` is the next step; empty if there is nothing to do."""

    area: str
    name: str
    state: State
    detail: str
    remedy: str = ""


class Report(Sequence[Finding]):
    """The findings, in the order of the checks. `ok` is True if there is no problem; warnings may remain."""

    def __init__(self, findings: Sequence[Finding]) -> None:
        self._findings = tuple(findings)

    @property
    def ok(self) -> bool:
        """Whether nothing is a problem."""
        return all(one.state != "problem" for one in self._findings)

    def __len__(self) -> int:
        return len(self._findings)

    def __getitem__(self, at):  # type: ignore[no-untyped-def]  # as a tuple's, for numbers and slices
        return self._findings[at]

    def __iter__(self) -> Iterator[Finding]:
        return iter(self._findings)

    def summary(self) -> str:
        """Return the numbers of problems, warnings and good results as text."""
        counts = {state: sum(one.state == state for one in self) for state in _SIGNS}
        problems = f"{counts['problem']} problem{'' if counts['problem'] == 1 else 's'}"
        return f"{problems}, {counts['warning']} warning{'' if counts['warning'] == 1 else 's'}, {counts['OK']} OK"

    def to_json(self) -> str:
        """Return the report as JSON: `ok` and the findings."""
        return json.dumps({"ok": self.ok, "findings": [asdict(one) for one in self]}, indent=2, ensure_ascii=False)

    def __str__(self) -> str:
        width = max((len(one.name) for one in self), default=0)
        lines, area = [], ""
        for one in self:
            if one.area != area:
                area = one.area
                lines += ["", area]
            lines.append(f"  {_SIGNS[one.state]} {one.name:<{width}}  {one.detail}")
            if one.remedy:
                lines.append(f"    {'':<{width}}  → {one.remedy}")
        return "\n".join([*lines[1:], "", self.summary()])

    def __repr__(self) -> str:
        return f"<Report: {self.summary()}>"

    def _repr_html_(self) -> str:
        rows = [(f"{one.area}: {one.name}", f"{_SIGNS[one.state]} {one.state}", one.detail, one.remedy) for one in self]
        head = ("check", "state", "result", "next step")
        return table_html(rows, head=head, caption=bold(self.summary()), row_heads=True)


def at_home(path: Path) -> str:
    """Return a path with `~` for the home folder, since a report may be shown to others."""
    home = account_home()
    return str(Path("~") / path.relative_to(home)) if home and path.is_relative_to(home) else str(path)
