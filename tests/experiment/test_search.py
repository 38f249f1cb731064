"""A search learns from earlier runs, resumes where it stopped, and keeps its budget."""

from __future__ import annotations

import pytest

from ci_notebook.experiment.run import RunOptions
from ci_notebook.experiment.search import SearchOptions, optimize, value_of
from ci_notebook.model.errors import BudgetExceeded, ParameterError
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from tests.experiment.conftest import SERVICE


def peaked(output, source, /, **more):
    """Score what the file's size tells, so that something is best."""
    return {"good": float(output.stat().st_size), "bad": -float(output.stat().st_size)}


@pytest.fixture
def look(client, clip, journal, tmp_path):
    def look(**more):
        more = {"space": {"SharpenLevel": (0, 10)}, "on": "good", "trials": 5, "batch": 3} | more
        base, budget = more.pop("base", None), more.pop("budget", None)
        run = RunOptions(
            journal=journal, cache=tmp_path / "cache", measure=peaked, service=SERVICE, settle_s=0.0, budget=budget
        )
        return optimize(client, clip, base, SearchOptions(**more), run)

    return look


@pytest.mark.slow
def test_a_search_finds_the_best_setting_and_pays_each_setting_once(look, client):
    search = look(trials=8)
    assert len(search.trials) == 8
    assert search.best[0].values["good"] == max(trial.values["good"] for trial in search.trials)
    assert len(client.sent) == len({trial.setting for trial in search.trials})
    assert repr(search) == f"<Search of 8 trials for good max, {len(search.best)} best>"


@pytest.mark.slow
def test_the_same_search_again_sends_nothing_and_a_longer_one_continues(look, client):
    first = look()
    sent = len(client.sent)
    again = look()
    tried = {trial.setting for trial in first.trials}
    assert {trial.setting for trial in again.trials[: len(tried)]} == tried
    longer = look(trials=9)
    assert tried <= {trial.setting for trial in longer.trials}
    assert len(client.sent) == len({trial.setting for trial in longer.trials}) >= sent
    assert len(longer.study.trials) == len(longer.trials) == 9


@pytest.mark.slow
def test_several_goals_give_a_front(look):
    search = look(space={"SharpenLevel": [10, 0, 5]}, on={"good": "max", "size_bytes": "min"}, trials=6)
    values = [(trial.values["good"], trial.values["size_bytes"]) for trial in search.best]
    assert len(search.best) >= 2
    assert not any(a != b and a[0] >= b[0] and a[1] <= b[1] for a in values for b in values)


@pytest.mark.slow
def test_whole_stages_and_names_can_be_looked_over(look):
    sharp = MsSharpen(sharpen_level=5)
    search = look(space={"MsSharpen": [None, sharp], "Contrast": [0, 50]}, trials=4)
    assert {trial.setting.ms_sharpen for trial in search.trials} <= {None, sharp}
    assert len(look(space={"MsSharpen": [None, sharp], "Contrast": [0, 50]}, trials=4).trials) == 4


@pytest.mark.slow
def test_the_budget_is_for_the_whole_search(look, client):
    one = 0.4 * 0.6 / 60
    with pytest.raises(BudgetExceeded):
        look(budget=one / 2)
    assert not client.sent
    search = look(budget=3.5 * one, batch=1, trials=11, seed=3)
    assert "Nothing was sent" in search.note
    assert 0 < len(client.sent) <= 3


@pytest.mark.slow
def test_unknown_scores_and_parameters_are_refused_by_a_search(look):
    with pytest.raises(ParameterError, match="bad, bitrate_kbps, cost_cny, good, size_bytes"):
        look(on="vmaf", trials=1)
    with pytest.raises(ParameterError, match="at least one goal"):
        look(space={})
    with pytest.raises(ParameterError, match="whole numbers"):
        look(trials=0)
    with pytest.raises(ParameterError, match="SharpenLevel"):
        look(space={"SharpnessLevel": (0, 10)})


@pytest.mark.slow
def test_facts_of_the_job_are_values_too(look):
    (run,) = look(trials=1).runs
    assert value_of(run, "size_bytes") == run.scores["good"]
    assert value_of(run, "cost_cny") == run.cost_cny
    assert value_of(run, "bitrate_kbps") > 0
    assert value_of(run, "vmaf") is None
    assert isinstance(run.setting, VideoEnhance)
