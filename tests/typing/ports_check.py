"""Checked by mypy only, never imported: `Lab` implements the Protocol of every view."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ci_notebook.lab.lab import Lab
    from ci_notebook.results.runs import Runs
    from ci_notebook.widgets.file_ports import VideoFilesPort
    from ci_notebook.widgets.ports import (
        ComparableRuns,
        CompareLab,
        EnhanceLab,
        MonitorLab,
        SweepLab,
        VoteLab,
    )

    def lab_implements_every_port(lab: Lab, runs: Runs) -> None:
        """Fail in mypy if a port changes and `Lab` does not, or the other way round."""
        enhance: EnhanceLab = lab
        compare: CompareLab = lab
        comparable_runs: ComparableRuns = runs
        sweep: SweepLab = lab
        monitor: MonitorLab = lab
        vote: VoteLab = lab
        files: VideoFilesPort = lab.video_files
        _ = files, enhance, compare, comparable_runs, sweep, monitor, vote
