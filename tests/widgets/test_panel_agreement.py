"""After any sequence of edits the panel, its Python and its XML mean the same setting."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ci_notebook.model.setting.presets import PRESETS
from ci_notebook.widgets.enhance.controls import AUTO_TEXT, above, part_at
from ci_notebook.widgets.enhance.panel import EnhancePanel
from ci_notebook.widgets.enhance.schema import stages
from ci_notebook.wire.xml import dumps
from tests import strategies
from tests.widgets.panel_messages import CLIP, all_agree, do, edit


def walked(groups):
    for group in groups:
        yield group
        yield from walked(group["groups"])


# Every control and switch, with the first two items of what may be repeated.
NUMBERED = [(group, n) for group in walked(stages()) for n in ("12" if ".#" in group["path"] else "1")]
LEAVES = [leaf["path"].replace("#", number) for group, number in NUMBERED for leaf in group["leaves"]]
NODES = [group["path"].replace("#", number) for group, number in NUMBERED]


def draw(path):
    """Texts good and bad for a leaf, made from its declaration."""
    part = part_at(path)
    good = [str(choice) for choice in part.choices] + ([AUTO_TEXT] if part.auto else [])
    texts = st.sampled_from([*good, "", "x", "-3", "3", "2.5", "99999", "true", "4:4:0:0", "0xFF00FF"])
    return st.none() | (st.integers(0, 400).map(str) | texts if part.kind in (int, float) else texts)


def brought(group, number):
    """Do what the front end does when a switch is turned on: add the values that it requires."""
    on = [path.replace("#", number) for path in (group["path"], *group["on"])]
    return on, {path.replace("#", number): text for path, text in group["values"].items()}


REQUESTS = strategies.requests().map(lambda request: dumps(request).decode())
EDITS = st.lists(
    st.tuples(st.just("leaf"), st.sampled_from(LEAVES).flatmap(lambda path: st.tuples(st.just(path), draw(path))))
    | st.tuples(st.just("node"), st.sampled_from(NODES))
    | st.tuples(st.just("switch"), st.sampled_from(NUMBERED))
    | st.tuples(st.just("preset"), st.sampled_from([one.name for one in PRESETS]))
    | st.tuples(st.just("paste"), REQUESTS)
    | st.tuples(st.sampled_from(["undo", "redo", "reset", "remedy", "remove", "own python"]), st.none()),
    max_size=10,
)


def act(panel, what, arg):
    if what == "leaf":
        path, text = arg
        edit(panel, {path: text}, [*{*panel.on, *above(path)}])
    elif what == "node":
        edit(panel, {}, [path for path in panel.on if path != arg] if arg in panel.on else [*panel.on, arg])
    elif what == "switch":
        on, values = brought(*arg)
        edit(panel, values, [*{*panel.on, *on, *above(on[0])}])
    elif what in ("preset", "paste"):
        do(panel, what, **{"name" if what == "preset" else "text": arg})
    elif what == "own python":
        do(panel, "paste", text=panel.python)
    elif what == "reset":
        paths = [change["path"] for change in panel.changes]
        do(panel, "reset", path=paths[0] if paths else None)
    elif what == "remedy":
        for path in list(panel.remedies)[:1]:
            do(panel, "remedy", path=path)
    elif what == "remove":
        do(panel, "remove", path="Watermark.1")
    else:
        do(panel, what)


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(edits=EDITS)
def test_panel_python_and_xml_agree_after_everything_that_can_be_done(lab, edits):
    panel = EnhancePanel(lab, CLIP)
    for what, arg in edits:
        before = panel.python
        act(panel, what, arg)
        assert all_agree(panel)
        assert not panel.problems or panel.python == before
        assert "Error" not in panel.told.get("error", ""), panel.told
    again = EnhancePanel(lab, CLIP, panel.value)
    again.watermarks, again.digital_watermark = panel.watermarks, panel.digital_watermark
    assert again.python == panel.python and all_agree(again) and not again.problems
    while panel.can["undo"]:
        panel.undo()
    assert panel.changes == [] and panel.values == {} and panel.on == []
