"""A job in hand becomes the row that its XML would become, and nothing is written or parsed for it."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_notebook.model.api.jobs import JobsDetail, Operation, Response
from ci_notebook.model.api.media_info import Format, MediaInfo
from ci_notebook.model.declaration.node import AUTO, Unknown
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, VideoEnhance
from ci_notebook.results import dataframe, node_columns
from ci_notebook.results.columns import columns
from ci_notebook.results.dataframe import read_jobs, to_frame
from ci_notebook.wire.xml import dumps, loads
from tests import strategies
from tests.results.jobs_xml import done, response


def same(jobs: list[JobsDetail], path) -> pd.DataFrame:
    """Check that jobs give the frame that their XML gives, and return it."""
    path.write_bytes(dumps(Response(jobs_detail=tuple(jobs)), "Response"))
    df = to_frame(jobs)
    pd.testing.assert_frame_equal(df, read_jobs(path))
    return df


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(st.lists(strategies.nodes(JobsDetail, unknown=True), max_size=4))
def test_generated_jobs_give_the_frame_of_their_xml(tmp_path_factory, jobs):
    same(jobs, tmp_path_factory.mktemp("jobs") / "jobs.xml")


TEXTS = st.sampled_from(
    ["", "-", "0", "5", "+7", "12.5", "1e3", ".5", "true", "True", "auto", "mp4", "sdtohd", "nan", "inf", " 5",
     "2022-06-27T15:23:12+0800", "2022-06-27", "9" * 18, "9" * 19, "Success", "<Novel/>"]
)  # fmt: skip
CELLS = [column for column in columns() if column.path]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(st.lists(st.lists(st.tuples(st.sampled_from(CELLS), TEXTS), max_size=14), max_size=3))
def test_jobs_that_were_read_give_the_frame_of_their_xml(tmp_path_factory, described):
    """Each leaf has nodes of its own here, so nodes are repeated where only the first counts."""
    bodies = []
    for leaves in described:
        texts = []
        for column, text in leaves:
            tags = [tag.partition("#")[0] for tag in column.path]
            texts.append("".join(f"<{tag}>" for tag in tags) + text + "".join(f"</{tag}>" for tag in reversed(tags)))
        bodies.append(f"<JobsDetail>{''.join(texts)}</JobsDetail>")
    read = loads(Response, response(*bodies)).jobs_detail
    path = tmp_path_factory.mktemp("jobs") / "jobs.xml"
    path.write_bytes(response(*bodies))
    pd.testing.assert_frame_equal(to_frame(read), read_jobs(path))


def test_nought_is_a_value_and_auto_is_none(tmp_path):
    setting = VideoEnhance(color_enhance=ColorEnhance(contrast=0, correction=AUTO), ms_sharpen=MsSharpen())
    row = same([JobsDetail(progress=0, operation=Operation(video_enhance=setting))], tmp_path / "a.xml").iloc[0]
    assert (row["progress"], row["ColorEnhance.Contrast"]) == (0, 0)
    assert row["auto"] == "ColorEnhance.Correction; ColorEnhance.Saturation; MsSharpen.SharpenLevel"


def test_a_number_that_no_column_holds_is_named_beside(tmp_path):
    job = JobsDetail(operation=Operation(media_info=MediaInfo(format=Format(size=10**20))))
    df = same([job, replace(job, operation=None)], tmp_path / "a.xml")
    assert df.loc[0, "unlisted"] == f"Operation.MediaInfo.Format.Size={10**20}"
    assert df["size_bytes"].isna().all()


def test_no_xml_is_written_or_read_for_a_job_in_hand(monkeypatch):
    jobs = loads(Response, response(done(1), done(2))).jobs_detail
    asked = []
    real = node_columns.element_of
    monkeypatch.setattr(node_columns, "element_of", lambda job: asked.append(job) or real(job))
    df = to_frame([*jobs, VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=3))])
    assert list(df["MsSharpen.SharpenLevel"]) == [1, 2, 3]
    assert asked == []
    assert not hasattr(dataframe, "element_of")
    odd = replace(jobs[0], unknown=(Unknown("State", "Resting"),))
    to_frame([jobs[1], odd])
    assert asked == [odd], "a second State in the XML: only that says which of the two counts"


@pytest.mark.parametrize("rows", [1, 2, 100])
def test_blocks_join_without_a_seam(monkeypatch, tmp_path, rows):
    monkeypatch.setattr("ci_notebook.results.xml_columns.ROWS", rows)
    jobs = [loads(JobsDetail, done(n, level="x" if n == 2 else n).encode()) for n in range(5)]
    same([*jobs, JobsDetail()], tmp_path / "a.xml")
