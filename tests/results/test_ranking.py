"""Rankings from blind votes: a known example, intervals that hold, and what is refused."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import pytest

from ci_notebook.experiment.sweep import grid
from ci_notebook.experiment.voting.vote import Vote
from ci_notebook.model.errors import ParameterError
from ci_notebook.results.charts import describe_ranking, plot_ranking
from ci_notebook.results.dataframe import to_frame
from ci_notebook.results.voting.bradley_terry import chosen, strengths, wilson
from ci_notebook.results.voting.ranking import agreement, compute_ranking, consistency, ranking
from tests.results.sample_runs import made

RUNS = made(grid(None, SharpenLevel=[0, 3, 6]), ("city", "sea"), pictures=20)
TRUE = np.array([0.0, 0.8, -0.4])  # log strengths of the levels


def votes(count, *, voters=("Ann",), ties=0.1, seed=0, true=TRUE, repeats=0):
    """Return votes as people with these preferences would give them."""
    draw, found = np.random.default_rng(seed), []
    for number in range(count):
        clip = draw.integers(2)
        i, j = draw.choice(3, 2, replace=False)
        left, right = RUNS[3 * clip + i].key, RUNS[3 * clip + j].key
        wins = draw.random() < 1 / (1 + np.exp(true[j] - true[i]))
        answer = "same" if draw.random() < ties else "left" if wins else "right"
        more = {"ballot": "b", "voter": voters[number % len(voters)], "share": 0.5, "took_s": 3.0}
        found.append(Vote(number=number, left=left, right=right, answer=answer, **more))
        if number < repeats:  # asked again with the sides changed
            turned = {"left": "right", "right": "left", "same": "same"}[answer]
            found.append(Vote(number=count + number, left=right, right=left, answer=turned, repeats=number, **more))
    return found


def test_the_baseball_teams_of_1987_come_out_as_published():
    """Agresti, Categorical Data Analysis: the American League's eastern division, against Baltimore."""
    wins = np.array(
        [
            [0, 7, 9, 7, 7, 9, 11], [6, 0, 7, 5, 11, 9, 9], [4, 6, 0, 7, 7, 8, 12], [6, 8, 6, 0, 6, 7, 10],
            [6, 2, 6, 7, 0, 7, 12], [4, 4, 5, 6, 6, 0, 6], [2, 4, 1, 3, 1, 7, 0],
        ],
        dtype=float,
    )  # fmt: skip
    found = strengths(wins)
    published = [1.5814, 1.4364, 1.2945, 1.2476, 1.1077, 0.6839, 0.0]
    assert list(found - found[-1]) == pytest.approx(published, abs=1e-4)
    assert strengths(np.stack([wins, wins.T]))[0] == pytest.approx(found)


def test_an_unbeaten_setting_has_a_finite_strength_with_a_prior():
    wins = np.array([[0.0, 5.0, 5.0], [0.0, 0.0, 3.0], [0.0, 2.0, 0.0]])
    found = strengths(wins, prior=1.0)
    assert 1 < found[0] < 4
    assert chosen(found).sum() == pytest.approx(1.5)
    assert wilson(0, 5)[0] == 0 and wilson(5, 5)[1] == 1


@pytest.mark.slow
def test_settings_are_ranked_with_intervals_and_in_words():
    found = ranking(RUNS, votes(120))
    df = found.to_frame()
    assert list(df["setting"]) == ["SharpenLevel 3", "SharpenLevel 0", "SharpenLevel 6"]
    assert list(df.columns) == ["place", "setting", "chosen", "low", "high", "best", "strength", "votes", "wins"]
    assert (df["low"] < df["chosen"]).all() and (df["chosen"] < df["high"]).all()
    assert df["votes"].sum() == 240 and df["wins"].sum() == pytest.approx(120)
    assert df["best"].sum() == pytest.approx(100)
    assert found.sentence.startswith("SharpenLevel 3 is preferred to the others in ")
    assert "120 votes of 1 voter" in found.sentence and "“no difference”" in found.sentence
    assert "agrees with you in" in found.sentence
    assert compute_ranking(RUNS, votes(120)).equals(df)
    assert repr(ranking(RUNS, votes(120))) == repr(found), "the same votes give the same words"


def test_few_votes_give_no_ranking():
    found = ranking(RUNS, votes(9, true=np.zeros(3)))
    assert "cannot be distinguished from" in found.sentence
    assert found.apart == ()


@pytest.mark.slow
def test_intervals_have_their_stated_coverage():
    """Of 20 ballots of 60 votes, all three settings. Of 150 each of 15, 30 and 60 votes, 93 to 94 % held the truth."""
    truth = dict(zip(["SharpenLevel 0", "SharpenLevel 3", "SharpenLevel 6"], 100 * chosen(TRUE), strict=True))
    held = []
    for seed in range(20):
        df = ranking(RUNS, votes(60, ties=0.0, seed=seed)).to_frame()
        held += [row["low"] <= truth[row["setting"]] <= row["high"] for _, row in df.iterrows()]
    assert np.mean(held) >= 0.85


@pytest.mark.slow
def test_disagreeing_voters_widen_the_intervals():
    """Two camps of three: drawn voter by voter, nobody knows which is larger."""
    camps = [
        vote
        for voter in range(6)
        for vote in votes(40, voters=(f"v{voter}",), ties=0, seed=voter, true=TRUE * (4 if voter % 2 else -4))
    ]
    one = [Vote(**{name: getattr(vote, name) for name in Vote.__slots__} | {"voter": "one"}) for vote in camps]
    many, single = (ranking(RUNS, given).to_frame().set_index("setting") for given in (camps, one))
    wide = (many["high"] - many["low"]) / (single["high"] - single["low"])
    assert wide.max() > 1.5


def test_scores_agree_or_do_not():
    df = agreement(RUNS, votes(200, ties=0.0, true=np.array([3.0, 0.0, -3.0]))).set_index("score")
    assert df.loc["vmaf_neg", "agrees"] > 85, "levels are less liked the sharper they are, as VMAF-NEG says"
    assert df.loc["vmaf_neg", "low"] < df.loc["vmaf_neg", "agrees"] < df.loc["vmaf_neg", "high"]
    assert df.loc["vmaf_minus_neg", "agrees"] > 85, "less is better there"
    assert "sharpness" not in df.index, "neither way is better"


@pytest.mark.slow
def test_repeats_check_the_voter_and_do_not_count_twice():
    told = votes(40, repeats=10)
    (row,) = consistency(told).to_dict("records")
    assert (row["voter"], row["votes"], row["asked_again"], row["said_the_same"]) == ("Ann", 50, 10, 10)
    assert 20 < row["left"] < 80 and row["median_s"] == 3.0
    assert ranking(RUNS, told).votes == 40
    assert "Repeated questions got the same answer in 10 of 10 cases." in ranking(RUNS, told).sentence


def test_settings_that_no_vote_connects_are_refused_with_the_groups():
    four = made(grid(None, SharpenLevel=[0, 3, 6, 9]), ("city",), pictures=20)
    apart = [
        Vote(ballot="b", voter="", number=n, left=four[i].key, right=four[j].key, share=0.5, answer="left")
        for n, (i, j) in enumerate([(0, 1), (2, 3)])
    ]
    with pytest.raises(ParameterError, match="SharpenLevel 0, SharpenLevel 3; SharpenLevel 6, SharpenLevel 9"):
        ranking(four, apart)
    with pytest.raises(ParameterError, match="at least two"):
        ranking(RUNS, [])


@pytest.mark.slow
def test_html_is_escaped_and_needs_nothing_from_outside():
    found = ranking(RUNS, votes(60, voters=("<b>Ann</b>",), repeats=5))
    html = found._repr_html_()
    assert "<b>Ann" not in html and "&lt;b&gt;Ann" in html
    assert html.count("<table>") == 3 and "data:image/png;base64," in html and "alt=" in html
    assert "http" not in html.replace("http://www.w3.org", "")


@pytest.mark.slow
def test_the_chart_draws_every_setting_with_its_interval():
    found = ranking(RUNS, votes(120))
    axes = plot_ranking(found)
    assert [label.get_text() for label in axes.get_yticklabels()] == list(found.to_frame()["setting"])
    assert axes.get_xlabel() == "preferred to the others [%]" and axes.get_xlim() == (0, 100)
    (bar,) = axes.containers
    assert list(bar.lines[0].get_xdata()) == pytest.approx(list(found.to_frame()["chosen"]))
    assert "with 95 % intervals: SharpenLevel 3 " in describe_ranking(found)


@pytest.mark.parametrize(("hits", "count"), [(0, 5), (3, 7), (8, 10), (120, 121)])
def test_wilson_s_interval_is_that_of_its_formula(hits, count):
    z = NormalDist().inv_cdf(0.975)
    share, extra = hits / count, z * z / count
    middle = (share + extra / 2) / (1 + extra)
    margin = z * (share * (1 - share) / count + extra / (4 * count)) ** 0.5 / (1 + extra)
    assert wilson(hits, count) == pytest.approx((max(0.0, middle - margin), min(1.0, middle + margin)), abs=1e-9)


def test_a_table_cannot_be_ranked_and_says_why():
    runs = made()
    with pytest.raises(ParameterError, match=r"ranking\(\) needs the runs"):
        ranking(to_frame(runs), [])
