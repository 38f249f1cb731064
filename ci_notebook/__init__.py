"""A laboratory for Tencent Cloud Infinite's video enhancement, inside Jupyter.

    import ci_notebook as ci

    lab = ci.connect()                      # the embedded engine: no account, no network, no cost
    clip = lab.upload(ci.sample())
    panel = ci.EnhancePanel(lab, clip)

Names are loaded when they are first used, so that `import ci_notebook` costs next to nothing.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ci_notebook.client.credentials import Credentials
    from ci_notebook.client.job import Job
    from ci_notebook.client.objects import Clip
    from ci_notebook.connecting import connect
    from ci_notebook.engine.cluster import DaskCluster
    from ci_notebook.experiment.pricelist import read_prices
    from ci_notebook.experiment.sweep import Sweep, explicit, grid, one_at_a_time, pairs, random, templates
    from ci_notebook.lab import Lab
    from ci_notebook.lessons.exercises import check
    from ci_notebook.media.samples import sample, samples
    from ci_notebook.model.enhance import (
        ColorEnhance,
        FrameEnhance,
        MsSharpen,
        SDRtoHDR,
        SuperResolution,
        VideoEnhance,
    )
    from ci_notebook.model.errors import (
        BudgetExceeded,
        CIError,
        EngineError,
        ParameterError,
        ServiceError,
    )
    from ci_notebook.model.jobs import CallBackMqConfig, JobFailed, JobsDetail, WaitTimedOut
    from ci_notebook.model.node import AUTO, Unknown
    from ci_notebook.model.presets import PRESETS, preset
    from ci_notebook.model.transcode import (
        Audio,
        AudioMix,
        ClipConfig,
        Container,
        DashEncrypt,
        EffectConfig,
        HlsEncrypt,
        TimeInterval,
        Transcode,
        TransConfig,
        Video,
    )
    from ci_notebook.model.watermark import DigitalWatermark, Image, Text, Watermark
    from ci_notebook.results.charts import (
        compute_response,
        plot_bd_rate,
        plot_gain,
        plot_importance,
        plot_interaction,
        plot_needle,
        plot_parallel,
        plot_pareto,
        plot_ranking,
        plot_response,
        plot_timeline,
        plot_trace,
    )
    from ci_notebook.results.frame import differing, read_frame, read_jobs, to_frame
    from ci_notebook.results.ranking import compute_ranking, ranking
    from ci_notebook.results.runs import Runs, read_runs
    from ci_notebook.results.verdict import all_verdicts, verdict, verdicts
    from ci_notebook.terminal.doctoring.doctor import doctor
    from ci_notebook.widgets.compare import CompareView
    from ci_notebook.widgets.monitor import Monitor
    from ci_notebook.widgets.panel import EnhancePanel
    from ci_notebook.widgets.sweep import SweepPanel
    from ci_notebook.widgets.vote import VoteView

__version__ = "0.1.0"

_HOME = {
    "client.credentials": ("Credentials",),
    "client.job": ("Job",),
    "client.objects": ("Clip",),
    "connecting": ("connect",),
    "terminal.doctoring.doctor": ("doctor",),
    "lessons.exercises": ("check",),
    "experiment.pricelist": ("read_prices",),
    "experiment.sweep": ("Sweep", "explicit", "grid", "one_at_a_time", "pairs", "random", "templates"),
    "lab": ("Lab",),
    "media.samples": ("sample", "samples"),
    "engine.cluster": ("DaskCluster",),
    "model.enhance": ("ColorEnhance", "FrameEnhance", "MsSharpen", "SDRtoHDR", "SuperResolution", "VideoEnhance"),
    "model.errors": ("BudgetExceeded", "CIError", "EngineError", "ParameterError", "ServiceError"),
    "model.jobs": ("CallBackMqConfig", "JobFailed", "JobsDetail", "WaitTimedOut"),
    "model.node": ("AUTO", "Unknown"),
    "model.presets": ("PRESETS", "preset"),
    "model.transcode": (
        "Audio",
        "AudioMix",
        "ClipConfig",
        "Container",
        "DashEncrypt",
        "EffectConfig",
        "HlsEncrypt",
        "TimeInterval",
        "TransConfig",
        "Transcode",
        "Video",
    ),
    "model.watermark": ("DigitalWatermark", "Image", "Text", "Watermark"),
    "results.charts": (
        "compute_response",
        "plot_bd_rate",
        "plot_gain",
        "plot_importance",
        "plot_interaction",
        "plot_needle",
        "plot_parallel",
        "plot_pareto",
        "plot_ranking",
        "plot_response",
        "plot_timeline",
        "plot_trace",
    ),
    "results.frame": ("differing", "read_frame", "read_jobs", "to_frame"),
    "results.ranking": ("compute_ranking", "ranking"),
    "results.runs": ("Runs", "read_runs"),
    "results.verdict": ("all_verdicts", "verdict", "verdicts"),
    "widgets.compare": ("CompareView",),
    "widgets.monitor": ("Monitor",),
    "widgets.panel": ("EnhancePanel",),
    "widgets.sweep": ("SweepPanel",),
    "widgets.vote": ("VoteView",),
}
_HOME_OF = {name: module for module, names in _HOME.items() for name in names}

__all__ = [
    "AUTO",
    "PRESETS",
    "Audio",
    "AudioMix",
    "BudgetExceeded",
    "CIError",
    "CallBackMqConfig",
    "Clip",
    "ClipConfig",
    "ColorEnhance",
    "CompareView",
    "Container",
    "Credentials",
    "DashEncrypt",
    "DaskCluster",
    "DigitalWatermark",
    "EffectConfig",
    "EngineError",
    "EnhancePanel",
    "FrameEnhance",
    "HlsEncrypt",
    "Image",
    "Job",
    "JobFailed",
    "JobsDetail",
    "Lab",
    "Monitor",
    "MsSharpen",
    "ParameterError",
    "Runs",
    "SDRtoHDR",
    "ServiceError",
    "SuperResolution",
    "Sweep",
    "SweepPanel",
    "Text",
    "TimeInterval",
    "TransConfig",
    "Transcode",
    "Unknown",
    "Video",
    "VideoEnhance",
    "VoteView",
    "WaitTimedOut",
    "Watermark",
    "all_verdicts",
    "check",
    "compute_ranking",
    "compute_response",
    "connect",
    "differing",
    "doctor",
    "explicit",
    "grid",
    "one_at_a_time",
    "pairs",
    "plot_bd_rate",
    "plot_gain",
    "plot_importance",
    "plot_interaction",
    "plot_needle",
    "plot_parallel",
    "plot_pareto",
    "plot_ranking",
    "plot_response",
    "plot_timeline",
    "plot_trace",
    "preset",
    "random",
    "ranking",
    "read_frame",
    "read_jobs",
    "read_prices",
    "read_runs",
    "sample",
    "samples",
    "templates",
    "to_frame",
    "verdict",
    "verdicts",
]


def __getattr__(name: str) -> object:
    module = _HOME_OF.get(name)
    if module is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(importlib.import_module(f"{__name__}.{module}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted([*__all__, "__version__"])
