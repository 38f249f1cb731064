"""Constructors of the views: settings in every form that is clear, our own errors, and a quiet end of refused views."""

from __future__ import annotations

import gc
import inspect
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import pytest

import ci_notebook as ci
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, VideoEnhance
from ci_notebook.model.setting.presets import preset
from ci_notebook.widgets.compare.compare_view import CompareView
from ci_notebook.widgets.enhance.enhance_panel import EnhancePanel
from ci_notebook.widgets.monitor.monitor_view import Monitor
from ci_notebook.widgets.shared.base_view import BaseView
from ci_notebook.widgets.sweep.sweep_panel import SweepPanel
from ci_notebook.widgets.vote.vote_view import VoteView
from tests.widgets.panel_messages import CLIP

pytestmark = pytest.mark.slow

VIEWS = (CompareView, EnhancePanel, Monitor, SweepPanel, VoteView)


@pytest.fixture
def unraisable(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Any]]:
    """Errors that Python prints and nobody catches, as those of `__del__`."""
    errors: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", errors.append)
    yield errors
    gc.collect()


def raising(*_args: object, **_keywords: object) -> Any:
    raise ParameterError.plain("The lab refuses.")


class RefusingLab:
    """A lab that refuses at the first call."""

    state_dir = None
    job_desk = sweep_desk = property(raising)
    price = templates = previews = engine = clip_facts = job_durations = None
    bucket = region = ""
    vote_desk = frames = request = xml = raising


@pytest.mark.parametrize(
    "make",
    [
        lambda lab: EnhancePanel(lab, CLIP, "no such preset"),
        lambda lab: EnhancePanel(lab, CLIP),
        lambda lab: SweepPanel(lab, CLIP),
        lambda lab: SweepPanel(types.SimpleNamespace(sweep_desk=None, state_dir=None, clip_facts=None), []),
        lambda lab: CompareView(lab, ["a.mp4", "b.mp4"]),
        lambda lab: CompareView(lab, ["a.mp4"]),
        lambda lab: CompareView(3),
        Monitor,
        lambda lab: VoteView(lab, []),
    ],
)
def test_a_refused_view_raises_once_and_prints_nothing_when_it_is_deleted(
    make: Callable[[RefusingLab], BaseView], unraisable: list[Any]
) -> None:
    with pytest.raises(ParameterError) as refused:
        make(RefusingLab())
    del refused
    gc.collect()
    assert unraisable == []


@pytest.mark.parametrize("view", VIEWS)
def test_a_view_whose_constructor_never_ran_can_be_closed_and_deleted(
    view: type[BaseView], unraisable: list[Any]
) -> None:
    half_built = view.__new__(view)
    half_built.close()
    half_built.close()
    del half_built
    gc.collect()
    assert unraisable == []


@pytest.mark.parametrize("view", VIEWS)
def test_an_unknown_keyword_is_refused_with_the_nearest_known_one(view: type[BaseView], unraisable: list[Any]) -> None:
    parameters = inspect.signature(view.__init__).parameters.values()
    assert not any(one.kind is one.VAR_KEYWORD for one in parameters)
    known = [one.name for one in parameters if one.kind is one.KEYWORD_ONLY]
    for name in known:
        with pytest.raises(ParameterError, match=f"has no keyword '{name}x'. Did you mean '{name}'?"):
            view(RefusingLab(), CLIP, **{f"{name}x": 1})
    with pytest.raises(ParameterError, match=f"no keyword 'qqq'. Its keywords are .*{known[0]}"):
        view(RefusingLab(), CLIP, qqq=1)
    gc.collect()
    assert unraisable == []


def test_a_setting_is_a_preset_by_name_or_a_dict_of_parameters(lab: Any) -> None:
    assert EnhancePanel(lab, CLIP, "Punchy colour").value == preset("Punchy colour")
    assert EnhancePanel(lab, CLIP, "punchy colour").value == preset("Punchy colour")
    panel = EnhancePanel(lab, CLIP, {"MsSharpen.SharpenLevel": 5, "Contrast": ci.AUTO})
    assert panel.value == VideoEnhance(
        ms_sharpen=MsSharpen(sharpen_level=5), color_enhance=ColorEnhance(contrast=ci.AUTO)
    )
    assert panel.changes == [] and panel.python.startswith("ci.VideoEnhance(")


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ("Punchy color", "There is no preset 'Punchy color'. Did you mean 'Punchy colour'\\?"),
        ("qqqqqq", "There is no preset 'qqqqqq'. The presets are Automatic, Restore SD"),
        ({"MsSharpen.SharpenLvl": 5}, "Did you mean .*SharpenLevel"),
        ({"MsSharpen": {"SharpenLevel": 5}}, 'Write one path per parameter, such as {"MsSharpen.SharpenLevel": 5}'),
        ({"SharpenLevel": 11}, "SharpenLevel.*0 to 10 or AUTO"),
        (MsSharpen(sharpen_level=5), "A setting cannot be a MsSharpen. Pass a ci.VideoEnhance, the name of a preset"),
        (7, "A setting cannot be a int"),
    ],
)
def test_any_other_setting_is_refused_and_says_what_to_write(
    lab: Any, setting: Any, message: str, unraisable: list[Any]
) -> None:
    with pytest.raises(ParameterError, match=message):
        EnhancePanel(lab, CLIP, setting)
    gc.collect()
    assert unraisable == []


def test_the_old_name_of_the_output_still_works(lab: Any) -> None:
    panel = EnhancePanel(lab, CLIP)
    with pytest.warns(DeprecationWarning, match="use output"):
        assert panel.trace is panel.output
