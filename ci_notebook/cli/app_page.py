"""The page of the verb `app`: one tab each for one setting, comparing, many settings, and all jobs.

Invariant: the page computes nothing by itself. Each view shows its results inside itself, because it is in a tab.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from html import escape
from pathlib import Path
from typing import Any, Final

import ipywidgets
from IPython.display import display

from ci_notebook.client.objects import Clip
from ci_notebook.lab.connect import connect
from ci_notebook.lab.lab import Lab
from ci_notebook.media.samples import sample
from ci_notebook.model.errors import CIError
from ci_notebook.widgets.compare.compare_view import CompareView
from ci_notebook.widgets.enhance.enhance_panel import EnhancePanel
from ci_notebook.widgets.monitor.monitor_view import Monitor
from ci_notebook.widgets.shared.base_view import error_text
from ci_notebook.widgets.sweep.sweep_panel import SweepPanel

CLIP_VARIABLE: Final = "CI_NOTEBOOK_APP_CLIP"
TABS: Final = ("One setting", "Compare", "Many settings", "Jobs")
_MOST_COMPARED: Final = 4
_NOTHING_YET: Final = "Submit a setting in the first tab to compare its result with the source here."


class Dashboard(ipywidgets.VBox):  # type: ignore[misc]  # ipywidgets has no types
    """The page for one clip: `panel`, `sweep` and `monitor` are the views of `ci`, in tabs.

    >>> import ci_notebook as ci
    >>> from ci_notebook.cli.app_page import Dashboard
    >>> lab = ci.connect()
    >>> page = Dashboard(lab, lab.upload(ci.sample()))
    >>> page.tabs.titles
    ('One setting', 'Compare', 'Many settings', 'Jobs')
    >>> page.close_all()
    """

    def __init__(self, lab: Lab, clip: Clip) -> None:
        self._lab, self._clip, self._compared = lab, clip, ""
        self.panel = EnhancePanel(lab, clip)
        self.sweep = SweepPanel(lab, clip)
        self.monitor = Monitor(lab, compare=self._compare_jobs)
        self.compare_box = ipywidgets.VBox([ipywidgets.HTML(f"<p>{_NOTHING_YET}</p>")])
        self.tabs = ipywidgets.Tab(
            [self.panel, self.compare_box, self.sweep, self.monitor],
            titles=TABS,
        )
        head = ipywidgets.HTML(
            f"<h1>{escape(clip.name)}</h1><p>Set what should be done to this video, look at the preview, and submit. "
            "Everything runs on this machine and is free of charge.</p>"
        )
        super().__init__([head, self.tabs])
        self.add_class("ci-dashboard")
        self.panel.observe(self._after_a_job, ["status"])
        self.sweep.observe(self._after_a_sweep, ["status"])

    def __repr__(self) -> str:
        return f"<Dashboard of {self._clip.name}>"

    def show(self, make: Callable[[], CompareView]) -> None:
        """Show a view in the tab Compare, or the error that prevented it."""
        old_views = self.compare_box.children
        try:
            view = make()
            self.compare_box.children = (view,)
        except (CIError, OSError) as error:
            self.compare_box.children = (ipywidgets.HTML(f"<p role='alert'>{escape(error_text(error))}</p>"),)
        for one in old_views:
            one.close()

    def close_all(self) -> None:
        """Close the page and every view in it."""
        for view in (self.panel, self.sweep, self.monitor, *self.compare_box.children):
            view.close()
        self.close()

    def _after_a_job(self, change: Any) -> None:
        job = self.panel.job
        if job is None or change["new"].get("busy") or change["new"].get("state") != "Success":
            return
        if job.detail.job_id != self._compared:
            self._compared = job.detail.job_id or ""
            self.show(lambda: CompareView(self._lab, [self._clip, job]))

    def _after_a_sweep(self, change: Any) -> None:
        runs = self.sweep.runs
        if change["old"].get("busy") and not change["new"].get("busy") and runs is not None:
            self.show(lambda: CompareView(runs))

    def _compare_jobs(self, details: list[Any]) -> CompareView:
        videos = [self._clip, *(self._lab.job(one.job_id) for one in details)]
        view = CompareView(self._lab, videos[:_MOST_COMPARED])
        self.show(lambda: view)
        self.tabs.selected_index = TABS.index("Compare")
        return view


def show() -> None:
    """Show the page for the clip in CI_NOTEBOOK_APP_CLIP, or for the sample. This is the only cell of the notebook."""
    lab = connect()
    clip = lab.upload(Path(os.environ.get(CLIP_VARIABLE) or sample()))
    display(Dashboard(lab, clip))  # type: ignore[no-untyped-call]
