"""Many runs from a lab: plans, searches, Ctrl-C and resuming."""

from __future__ import annotations

import contextlib
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ci_notebook as ci
from tests.support import write_sample


@pytest.fixture(scope="module")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_sample(tmp_path_factory.mktemp("clip") / "small.mp4", seconds=0.4, size="256x144")


@pytest.fixture(scope="module")
def clip(lab: ci.Lab, video: Path) -> ci.Clip:
    return lab.upload(video)


@pytest.mark.slow
def test_a_plan_shows_the_differences_the_price_and_the_finished_runs(lab: ci.Lab, clip: ci.Clip) -> None:
    sweep = ci.grid(ci.VideoEnhance(color_enhance=ci.ColorEnhance(contrast=40)), SharpenLevel=[0, 6])
    plan = lab.plan(clip, sweep)
    df = plan.to_frame()
    assert list(df.columns)[:2] == ["clip", "MsSharpen.SharpenLevel"]
    assert list(df["held"]) == [False, False]
    assert plan.total == pytest.approx(df["cost"].sum()) and plan.total == pytest.approx(lab.price(clip, sweep).total)
    assert "ColorEnhance" in df["charged"].iloc[0]
    lab.run(clip, sweep[:1], scores=False)
    after = lab.plan(clip, sweep)
    assert list(after.to_frame()["held"]) == [True, False]
    assert after.total == pytest.approx(plan.total / 2)
    assert repr(after).startswith("<Plan of 2 jobs: 1 to be sent for ") and "1 in the journal" in repr(after)
    html = after._repr_html_()
    assert "<th scope='col' style='text-align:left'>MsSharpen.SharpenLevel</th>" in html
    assert "ColorEnhance.Contrast" not in html, "only what differs is shown"
    assert html.count("<tr>") == 3 and "to be sent" in html


def test_a_plan_reads_the_settings_of_templates(lab: ci.Lab, clip: ci.Clip) -> None:
    made = lab.templates.create("crisp", ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=7)))
    plan = lab.plan(clip, ci.templates(str(made.template_id)) + ci.grid(None, SharpenLevel=[2]))
    assert list(plan.to_frame()["MsSharpen.SharpenLevel"]) == [7, 2]
    assert str(made.template_id) in plan._repr_html_()


def test_random_explicit_and_pairs_are_designs_too() -> None:
    drawn = ci.random(None, 4, seed=3, SharpenLevel=(0, 10), Resolution=[None, "sdtohd"])
    assert len(drawn) == 4 and drawn == ci.random(None, 4, seed=3, SharpenLevel=(0, 10), Resolution=[None, "sdtohd"])
    assert drawn != ci.random(None, 4, seed=4, SharpenLevel=(0, 10), Resolution=[None, "sdtohd"])
    a, b = ci.VideoEnhance(), ci.VideoEnhance(ms_sharpen=ci.MsSharpen(sharpen_level=5))
    assert ci.explicit(a, [b]) == ci.explicit(a, b)
    assert len(ci.pairs(a, b, Contrast=[0, 50])) == 4


@pytest.mark.slow
def test_a_search_shows_its_trials_and_front_and_resumes(lab: ci.Lab, clip: ci.Clip) -> None:
    goals = {"sharpness": "max", "size_bytes": "min"}
    found = lab.optimize(clip, space={"SharpenLevel": [0, 5, 10]}, on=goals, trials=3, batch=2)  # type: ignore[arg-type]
    df = found.to_frame()
    assert list(df.columns) == ["trial", "MsSharpen.SharpenLevel", "auto", "sharpness", "size_bytes", "best"]
    assert len(df) == 3 and df["best"].sum() == len(found.best) >= 1
    assert "trials for sharpness max and size_bytes min" in repr(found)
    html = found._repr_html_()
    assert html.count("<b>best</b>") == len(found.best) and "larger is better" in html
    jobs = [run.job.job_id for run in found.runs if run.job]
    again = lab.optimize(clip, space={"SharpenLevel": [0, 5, 10]}, on="sharpness", trials=2)
    assert {run.job.job_id for run in again.runs if run.job} <= set(jobs), "what is known is not paid again"
    assert again.setting == again.best[0].setting
    assert "best with SharpenLevel" in repr(again)


def test_a_search_for_a_misspelt_score_is_refused_before_anything_is_sent(lab: ci.Lab, clip: ci.Clip) -> None:
    with pytest.raises(ci.ParameterError, match=r"No score is called 'vmaf_ng'. Did you mean vmaf_neg"):
        lab.optimize(clip, space={"SharpenLevel": (0, 10)}, on={"vmaf_ng": "max", "size_bytes": "min"})


def test_without_optuna_a_search_says_how_to_get_it(
    lab: ci.Lab, clip: ci.Clip, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(ci.CIError, match=r"pip install 'ci-notebook\[optuna\]'"):
        lab.optimize(clip, space={"SharpenLevel": (0, 10)}, on="vmaf_neg")


@pytest.mark.slow
def test_all_frames_are_scored_on_request_and_coarser_scores_are_replaced(lab: ci.Lab, clip: ci.Clip) -> None:
    sweep = ci.grid(None, SharpenLevel=[4])
    (coarse,) = lab.run(clip, sweep, every=5)
    (kept,) = lab.run(clip, sweep)
    assert kept == coarse, "runs that were scored at another distance are not scored again unasked"
    (fine,) = lab.run(clip, sweep, every=1)
    assert (coarse.every, fine.every) == (5, 1)
    (usual,) = lab.run(clip, ci.grid(None, SharpenLevel=[7]))
    assert (usual.every, len(usual.pictures["vmaf"])) == (1, 10), "a short clip is scored wholly"
    assert len(fine.pictures["vmaf"]) == 10
    assert fine.job == coarse.job, "the job is not made again"
    with pytest.raises(ci.ParameterError, match="every"):
        lab.run(clip, sweep, every=0)


SWEEP = """
import sys, ci_notebook as ci
with ci.connect(home=sys.argv[1], workers=1) as lab:
    clip = lab.upload(sys.argv[2])
    print("begun", flush=True)
    runs = lab.run(clip, ci.grid(None, SharpenLevel=list(range(8))), workers=2, scores=False)
    print("done", len(runs), sum(run.ok for run in runs), flush=True)
"""


@pytest.mark.slow
def test_ctrl_c_reports_finished_runs_and_the_same_call_resumes(tmp_path: Path, video: Path) -> None:
    command = [sys.executable, "-c", SWEEP, str(tmp_path), str(video)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as first:
        assert first.stdout is not None
        assert first.stdout.readline().strip() == "begun"
        journal = tmp_path / "journal.sqlite"
        deadline = time.monotonic() + 120
        while time.monotonic() < deadline and _over(journal) < 2:
            time.sleep(0.05)
        first.send_signal(signal.SIGINT)
        _, said = first.communicate(timeout=120)
    assert first.returncode != 0
    last = said.strip().splitlines()[-1]
    assert "Interrupted: Stopped at" in last and "of 8 done" in last, said
    assert "Finished runs are kept" in last and "Run the same call again to resume." in last
    told = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    assert told.stdout.splitlines()[-1] == "done 8 8"
    with ci.connect(home=tmp_path) as lab:
        assert len(list(lab.jobs())) == 8, "none was sent twice"


def _over(journal: Path) -> int:
    if not journal.exists():
        return 0
    with contextlib.closing(sqlite3.connect(f"file:{journal}?mode=ro", uri=True)) as db:
        try:
            return int(db.execute("SELECT count(*) FROM runs WHERE phase = 'over'").fetchone()[0])
        except sqlite3.OperationalError:  # not made yet
            return 0


@pytest.mark.slow
def test_a_custom_price_list_replaces_the_published_one(lab: ci.Lab, clip: ci.Clip, tmp_path: Path) -> None:
    (tmp_path / "ours.toml").write_text(
        'name = "our contract"\ncurrency = "CNY"\ndate = "2026-11-01"\n[items]\nMsSharpen = 600\n'
    )
    sweep, published = ci.grid(None, SharpenLevel=[1]), lab.prices
    lab.prices = ci.read_prices(tmp_path / "ours.toml")
    try:
        asked = lab.price(clip, sweep)
        assert asked.total == pytest.approx(600 * 0.4 / 60, rel=0.1) and "our contract list" in repr(asked)
        plan = lab.plan(clip, sweep)
        assert plan.total == asked.total and "our contract list" in repr(plan)
        with pytest.raises(ci.BudgetExceeded):
            lab.run(clip, sweep, budget=1)
        (run,) = lab.run(clip, sweep, budget=10, scores=False)
        assert run.cost_cny == pytest.approx(asked.total)
    finally:
        lab.prices = published


@pytest.mark.slow
def test_floating_point_scores_are_computed_once_and_not_mixed_with_others(lab: ci.Lab, clip: ci.Clip) -> None:
    sweep = ci.grid(None, SharpenLevel=[1, 2])
    usual = lab.run(clip, sweep, every=1)
    exact = lab.run(clip, sweep, every=1, precise=True)
    assert [run.precise for run in (*usual, *exact)] == [False, False, True, True]
    assert 0 < abs(exact[0].scores["vmaf"] - usual[0].scores["vmaf"]) < 0.5
    assert [run.job.job_id for run in exact if run.job] == [run.job.job_id for run in usual if run.job]
    again = lab.run(clip, sweep)
    assert [run.scores for run in again] == [run.scores for run in exact], "what is held is not measured again"
    mixed = ci.verdict([usual[0], exact[1]], "SharpenLevel", 1, 2, on="vmaf_neg")
    assert mixed.answer == "refused" and "floating point" in mixed.sentence


@pytest.mark.slow
def test_another_screen_is_scored_again_and_not_paid_again(lab: ci.Lab, tmp_path: Path) -> None:
    large = lab.upload(write_sample(tmp_path / "large.mp4", seconds=0.2, size="640x360"))
    (tv,) = lab.run(large, ci.grid(None, SharpenLevel=[4]))
    (phone,) = lab.run(large, ci.grid(None, SharpenLevel=[4]), screen="phone")
    assert (tv.vmaf_v1_model, tv.screen) == ("vmaf_v1.0.16_3d0h", "tv")
    assert (phone.vmaf_v1_model, phone.screen) == ("vmaf_v1.0.16_5d0h", "phone")
    assert phone.job and tv.job and phone.job.job_id == tv.job.job_id
    assert phone.scores["vmaf"] == tv.scores["vmaf"] and phone.scores["vmaf_v1"] != tv.scores["vmaf_v1"]
    (again,) = lab.run(large, ci.grid(None, SharpenLevel=[4]))
    assert again == phone, "what is held is not measured again"
    assert phone.key in {run.key for run in lab.runs() if run.vmaf_v1_model == "vmaf_v1.0.16_5d0h"}


@pytest.mark.slow
def test_a_screen_that_an_output_does_not_fit_is_refused_before_anything_is_sent(lab: ci.Lab, clip: ci.Clip) -> None:
    count = len(list(lab.jobs()))
    with pytest.raises(ci.ParameterError, match=r"at least 296 × 296 px \(phone\), and these have 256 × 144"):
        lab.run(clip, ci.grid(None, SharpenLevel=[9]), screen="phone")
    with pytest.raises(ci.ParameterError, match="screen must be"):
        lab.run(clip, ci.grid(None, SharpenLevel=[9]), screen="cinema")  # type: ignore[arg-type]
    assert len(list(lab.jobs())) == count
    (run,) = lab.run(clip, ci.grid(None, SharpenLevel=[9]))
    assert run.ok and "vmaf_v1" not in run.scores and "216 × 176" in run.score_note


@pytest.mark.slow
def test_the_jobs_of_a_lab_are_a_frame_as_runs_are(lab: ci.Lab, clip: ci.Clip) -> None:
    (run,) = lab.run(clip, ci.grid(None, SharpenLevel=[3]), scores=False)
    df = ci.to_frame(lab.jobs())
    assert list(df.columns) == list(ci.to_frame([]).columns)
    assert run.job is not None
    assert df.set_index("job_id").loc[run.job.job_id, "MsSharpen.SharpenLevel"] == 3
    with pytest.raises(ci.ParameterError, match="runs, jobs, settings or templates"):
        ci.to_frame(["j1"])  # type: ignore[list-item]  # what is refused
