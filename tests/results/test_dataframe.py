"""A DataFrame has the same columns for any runs, agrees with the XML, and survives files."""

from __future__ import annotations

import re
from types import SimpleNamespace

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ci_notebook.experiment.run_record import Run
from ci_notebook.experiment.sweep import grid
from ci_notebook.model.api.jobs import JobsDetail, Operation, Response, time_of
from ci_notebook.model.declaration.node import AUTO
from ci_notebook.model.declaration.paths import leaves, values
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.score_alignment import Alignment
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, VideoEnhance
from ci_notebook.model.setting.transcode import AudioMix, Transcode
from ci_notebook.results.columns import columns
from ci_notebook.results.dataframe import differing, read_frame, read_jobs, resolve_column, to_frame
from ci_notebook.wire.xml import MalformedXML, loads
from tests.results.jobs_xml import done, response

SHARP = VideoEnhance(ms_sharpen=MsSharpen(sharpen_level=5))


def frame_of(*jobs: str) -> pd.DataFrame:
    return to_frame(loads(Response, response(*jobs)))


def run(setting: VideoEnhance = SHARP, **more: object) -> Run:
    return Run(
        **{"key": "k" * 40, "clip": "bikes", "clip_key": "input/b.mp4", "clip_md5": "m", "setting": setting, **more}
    )


def same(left: pd.DataFrame, right: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(left, right)


def test_a_job_becomes_a_row_of_its_facts():
    row = frame_of(done(7)).iloc[0]
    assert row["job_id"] == f"j{7:032x}"
    assert row["state"] == "Success"
    assert row["created"] == pd.Timestamp("2022-06-27T07:23:12Z")
    assert (row["took_s"], row["duration_s"], row["size_bytes"], row["width"]) == (80.0, 13.000007, 1424694, 1280)
    assert (row["fps"], row["codec"], row["audio_codec"], row["job_level"]) == (25.0, "h264", "aac", 0)
    assert row["output_key"] == "output/clip-7.mp4"
    assert row["Transcode.Video.Bitrate"] == 900
    assert row["SuperResolution.EnableScaleUp"]
    assert row["MsSharpen.SharpenLevel"] == 7
    assert pd.isna(row["message"])
    assert pd.isna(row["run"])


def test_no_jobs_give_the_columns_and_dtypes_of_many():
    nobody, many = to_frame([]), frame_of(done(1), done(2))
    assert len(nobody) == 0
    assert list(nobody.columns) == list(many.columns)
    assert (nobody.dtypes == many.dtypes).all()
    assert (nobody.dtypes == to_frame(grid(None, SharpenLevel=[0, 5])).dtypes).all()
    assert (nobody.dtypes == to_frame([run()]).dtypes).all()


def test_every_leaf_of_a_setting_has_its_column_in_the_order_of_the_wire():
    shown = [re.sub(r"\.\d+", "", name) for name in to_frame([]).columns]
    paths = [leaf.path for leaf in leaves(VideoEnhance)]
    assert [name for name in dict.fromkeys(shown) if name in set(paths)] == paths


def test_auto_is_missing_in_its_column_and_named_in_auto():
    df = frame_of(done(1))
    assert df.loc[0, "ColorEnhance.Contrast"] == 50
    assert pd.isna(df.loc[0, "ColorEnhance.Correction"])
    assert df.loc[0, "auto"] == "ColorEnhance.Correction; ColorEnhance.Saturation"


def test_a_bare_stage_is_named_in_auto():
    df = frame_of(
        "<JobsDetail><Operation><VideoEnhance><FrameEnhance/><MsSharpen/></VideoEnhance></Operation></JobsDetail>"
    )
    assert df.loc[0, "auto"] == "MsSharpen.SharpenLevel; FrameEnhance"


def test_the_word_auto_among_numbers_is_auto():
    df = frame_of(done(1, bitrate="auto"), done(2, bitrate="800"))
    assert "Transcode.Video.Bitrate" in df.loc[0, "auto"]
    assert df["Transcode.Video.Bitrate"].tolist() == [pd.NA, 800]


def test_values_outside_the_declarations_are_stored_in_their_own_column():
    odd = done(1, level="loud").replace("<State>Success", "<State>Resting").replace("T15:24:33", "T25:24:33")
    df = frame_of(odd, done(2))
    assert pd.isna(df.loc[0, "state"])
    assert df.loc[0, "unlisted"] == (
        "State=Resting; EndTime=2022-06-27T25:24:33+0800; Operation.VideoEnhance.MsSharpen.SharpenLevel=loud"
    )
    assert df.loc[1, "state"] == "Success"
    assert pd.isna(df.loc[1, "unlisted"])
    assert (df.dtypes == to_frame([]).dtypes).all()


def test_numbers_and_texts_outside_their_range_are_shown_and_listed():
    odd = done(1, level=11).replace("<Progress>100<", "<Progress> 140 <").replace("<Width>1280<", "<Width>1281<", 1)
    odd = odd.replace("<UserData>ticket 1<", "<UserData>\u7968<")
    df = frame_of(odd, done(2))
    assert df.loc[0, ["MsSharpen.SharpenLevel", "progress", "Transcode.Video.Width"]].tolist() == [11, 140, 1281]
    assert sorted(df.loc[0, "unlisted"].split("; ")) == [
        "Operation.UserData=\u7968", "Operation.VideoEnhance.MsSharpen.SharpenLevel=11",
        "Operation.VideoEnhance.Transcode.Video.Width=1281", "Progress=140",
    ]  # fmt: skip
    assert pd.isna(df.loc[1, "unlisted"])


@pytest.mark.parametrize(
    "text",
    [
        "0001-01-01T00:00:00+0800", "9999-12-31T23:59:59-0800", "2022-06-27 15:24:33", "2022-06-27T15:24:33", "soon",
        "2022-06-27T15:22:33+0800", "1970-01-01T00:00:00+0000", "0", "2022-13-27T15:24:33+0800",
    ],
)  # fmt: skip
def test_a_time_that_is_none_or_contradicts_the_others_is_listed(text):
    df = frame_of(done(1).replace("2022-06-27T15:24:33+0800", text), done(2))
    assert df.loc[0, "unlisted"] == f"EndTime={text}"
    assert pd.isna(df.loc[1, "unlisted"])


def test_jobs_of_single_stages_fill_the_columns_of_their_settings():
    encoding = "<Transcode><Video><Width>640</Width></Video></Transcode>"
    detail = f"<JobsDetail><Tag>{{}}</Tag><Operation>{{}}{encoding}</Operation></JobsDetail>"
    df = frame_of(
        detail.format("SuperResolution", "<SuperResolution><Resolution>sdtohd</Resolution></SuperResolution>"),
        detail.format("SDRtoHDR", "<SDRtoHDR><HdrMode>HLG</HdrMode></SDRtoHDR>"),
        detail.format(
            "VideoProcess",
            "<VideoProcess><ColorEnhance><Contrast>5</Contrast></ColorEnhance><MsSharpen><Enable>True</Enable>"
            "<SharpenLevel> </SharpenLevel></MsSharpen></VideoProcess>",
        ),
    )
    assert df["Transcode.Video.Width"].tolist() == [640, 640, 640]
    assert df["SuperResolution.Resolution"].tolist()[:1] == ["sdtohd"]
    assert df["SDRtoHDR.HdrMode"].tolist()[1] == "HLG"
    assert df["ColorEnhance.Contrast"].isna().all(), "a stage without Enable is off"
    assert df["auto"].isna().tolist() == [True, True, False]
    assert df.loc[2, "auto"] == "MsSharpen.SharpenLevel"


def test_times_that_are_not_reached_are_missing():
    df = frame_of("<JobsDetail><State>Submitted</State><StartTime>-</StartTime><EndTime>-</EndTime></JobsDetail>")
    assert df[["started", "ended", "took_s", "unlisted"]].isna().all(axis=None)


def test_states_are_ordered_categories():
    df = frame_of(done(1), "<JobsDetail><State>Running</State></JobsDetail>")
    assert df["state"].dtype.ordered
    assert df["state"].min() == "Running"


def test_of_repeated_nodes_the_first_counts_and_the_other_spelling_is_read():
    twice = done(1).replace("<Video><Index>0", "<Video><Width>64</Width><Index>0").replace("BucketId>", "Bucket>")
    df = frame_of(
        twice.replace("</Video></Stream>", "</Video><Video><Width>32</Width><Level>3</Level></Video></Stream>")
    )
    assert df.loc[0, "width"] == 64
    assert df.loc[0, "bucket"] == "test-1250000000"


def test_repeated_nodes_of_a_setting_are_numbered():
    mixed = VideoEnhance(
        transcode=Transcode(audio_mix_array=(AudioMix(audio_source="a"), AudioMix(audio_source="b", replace=True)))
    )
    df = to_frame([mixed])
    assert df.loc[0, "Transcode.AudioMixArray.1.AudioSource"] == "a"
    assert df.loc[0, "Transcode.AudioMixArray.2.AudioSource"] == "b"
    assert df.loc[0, "Transcode.AudioMixArray.2.Replace"]


def test_a_run_adds_its_own_facts_and_its_own_setting():
    job = loads(JobsDetail, done(3).encode())
    df = to_frame([run(job=job, scores={"psnr": 40.5, "vmaf": 95.0, "vmaf_neg": 90.0}, cost_cny=0.5)])
    row = df.iloc[0]
    assert (row["run"], row["clip"], row["psnr"], row["vmaf_minus_neg"], row["cost_cny"]) == (
        "k" * 12,
        "bikes",
        40.5,
        5.0,
        0.5,
    )
    assert row["MsSharpen.SharpenLevel"] == 5
    assert pd.isna(row["Transcode.Video.Codec"])
    assert pd.isna(row["ssim"])
    assert pd.isna(row["error"])


def test_further_scores_follow_the_declared_ones():
    df = to_frame([run(scores={"niqe": 1.5}), run()])
    place = list(df.columns).index("delta_e_worst")
    assert df.columns[place + 1] == "niqe"
    assert df["niqe"].tolist() == [1.5, pd.NA]


def test_differing_shows_what_differs_and_no_ids():
    df = to_frame(grid(SHARP, SharpenLevel=[0, 5], Resolution=[None, "sdtohd"]))
    assert list(differing(df).columns) == ["SuperResolution.Resolution", "MsSharpen.SharpenLevel"]
    jobs = frame_of(done(1), done(2))
    assert "job_id" in differing(jobs, ids=True)
    assert list(differing(jobs).columns) == ["input_key", "MsSharpen.SharpenLevel", "duration_s", "size_bytes"]
    assert list(differing(to_frame([SHARP])).columns) == ["MsSharpen.SharpenLevel"]


def test_a_column_is_found_by_its_ending():
    df = to_frame([SHARP])
    assert resolve_column(df, "SharpenLevel") == "MsSharpen.SharpenLevel"
    assert resolve_column(df, "psnr") == "psnr"
    with pytest.raises(ParameterError, match=r"Transcode\.Video\.Codec, Transcode\.Audio\.Codec"):
        resolve_column(df, "Codec")
    with pytest.raises(
        ParameterError,
        match=r"No column is called 'Sharpnes'. Did you mean sharpness\? The scores are psnr, ssim, xpsnr, vmaf,",
    ):
        resolve_column(df, "Sharpnes")


@pytest.mark.slow
def test_a_frame_survives_parquet_and_csv(tmp_path):
    odd = done(2, level="loud", bitrate="auto").replace("<Message/>", '<Message>no "luck", NA\nhere</Message>')
    df = frame_of(done(1), odd, "<JobsDetail><State>Running</State><StartTime>-</StartTime></JobsDetail>")
    for extra in (df, df.iloc[:0], to_frame([run(scores={"niqe": 1.25})])):
        extra.to_parquet(tmp_path / "f.parquet")
        same(read_frame(tmp_path / "f.parquet"), extra)
        extra.to_csv(tmp_path / "f.csv", index=False)
        same(read_frame(tmp_path / "f.csv"), extra)


def test_files_are_read_as_streams_in_the_order_of_their_names(tmp_path):
    (tmp_path / "b.xml").write_bytes(response(done(2)))
    (tmp_path / "a.xml").write_bytes(response(done(0), done(1)))
    (tmp_path / "lone.XML").write_bytes(done(3).encode())
    df = read_jobs(tmp_path / "*.xml", tmp_path / "lone.XML")
    same(df, frame_of(done(0), done(1), done(2), done(3)))


@pytest.mark.slow
def test_blocks_join_without_a_seam(monkeypatch):
    monkeypatch.setattr("ci_notebook.results.xml_columns.ROWS", 2)
    jobs = [done(n) for n in range(5)] + ["<JobsDetail/>", done(1, level="x", bitrate="auto")]
    in_blocks = frame_of(*jobs)
    monkeypatch.setattr("ci_notebook.results.xml_columns.ROWS", 100)
    same(in_blocks, frame_of(*jobs))


def test_a_name_that_finds_nothing_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="nothing-here"):
        read_jobs(tmp_path / "nothing-here*.xml")


@pytest.mark.parametrize("body", [b"<Response><JobsDetail>", b'<!DOCTYPE r [<!ENTITY a "b">]><r><JobsDetail/></r>'])
def test_broken_files_are_refused(tmp_path, body):
    (tmp_path / "a.xml").write_bytes(body)
    with pytest.raises(MalformedXML):
        read_jobs(tmp_path / "a.xml")


# Texts as they come, as they could come, and as they should not.
TEXTS = st.one_of(
    st.sampled_from(
        ["", "-", "0", "5", "+7", "12.5", "1e3", ".5", "true", "false", "True", "auto", "mp4", "sdtohd", "nan"]
    ),
    st.sampled_from(
        ["inf", "1_000", " 5", "５", "2022-06-27T15:23:12+0800", "2022-06-27", "12 px", "9" * 19, "Success"]
    ),
    st.text(st.characters(min_codepoint=32, max_codepoint=0x2FF, exclude_characters="<&>"), max_size=8),
)
FACTS = [column for column in columns() if column.path and "#" not in "".join(column.path)]


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.lists(st.dictionaries(st.sampled_from(FACTS), TEXTS, max_size=12), max_size=3))
def test_the_fast_reader_agrees_with_the_model(jobs):
    bodies = []
    for texts in jobs:
        body = "".join(
            "".join(f"<{tag}>" for tag in column.path) + text + "".join(f"</{tag}>" for tag in reversed(column.path))
            for column, text in texts.items()
        )
        # Each leaf has its own Operation here; only the first counts, in the model and in the frame.
        bodies.append(f"<JobsDetail>{body}</JobsDetail>")
    df = frame_of(*bodies)
    for number, body in enumerate(bodies):
        job = loads(JobsDetail, body.encode())
        for column in FACTS:
            if column.hidden or column.name == "output_key":
                continue
            value = job
            for tag in column.path:
                value = value[0] if isinstance(value, tuple) and value else value
                value = next((getattr(value, p.name) for p in parts_of(value) if p.tag == tag), None)
            value = value[0] if isinstance(value, tuple) and value else value
            assert_shows(df.loc[number, column.name], value, column)


def parts_of(node):
    from ci_notebook.model.declaration.node import Node, parts

    return parts(type(node)) if isinstance(node, Node) else ()


def assert_shows(shown, value, column):
    if column.kind == "time":
        moment = time_of(value)
        assert pd.isna(shown) if moment is None else shown == pd.Timestamp(moment)
    else:
        is_odd = (
            value not in column.choices if column.kind == "choice" else isinstance(value, str) and column.kind != "text"
        )
        assert pd.isna(shown) if is_odd or value in (None, (), "", AUTO) else shown == value


def test_the_docstring_names_every_column_with_its_dtype_and_unit():
    table = {}
    for line in to_frame.__doc__.splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) == 4:
            table.update({name.strip(): (cells[1], cells[2]) for name in cells[0].split(",")})
    for column in columns():
        if not column.hidden and "." not in column.name:
            assert table.get(column.name) == (column.dtype, column.unit), column.name


@pytest.mark.slow
def test_settings_read_back_from_the_frame():
    setting = VideoEnhance(
        ms_sharpen=MsSharpen(sharpen_level=3), color_enhance=ColorEnhance(contrast=AUTO, saturation=300)
    )
    row = to_frame([setting]).iloc[0]
    assert {path: row[path] for path in values(setting) if path != "ColorEnhance.Contrast"} == {
        "ColorEnhance.Saturation": 300,
        "MsSharpen.SharpenLevel": 3,
    }
    assert "ColorEnhance.Contrast" in row["auto"]
    assert Operation(video_enhance=setting).video_enhance == setting


def test_a_single_job_run_or_setting_is_a_table_of_one_row():
    job = JobsDetail(job_id="j1", state="Success")
    assert to_frame(job)["job_id"].tolist() == ["j1"]
    assert to_frame(SimpleNamespace(detail=job))["state"].tolist() == ["Success"]
    assert len(to_frame(VideoEnhance())) == 1
    for value in ("j1", 5, to_frame(job), [5]):
        with pytest.raises(ParameterError, match=r"to_frame\(\) makes a table of runs, jobs, settings or templates"):
            to_frame(value)


def test_the_alignment_of_a_run_has_columns():
    aligned = Alignment(offset_frames=1, offset_s=0.04, fps=25.0, width=64, height=36, source_crop=(0, 0.125, 1, 0.75))
    (row,) = to_frame([run(alignment=aligned)]).to_dict("records")
    assert (row["align_offset_frames"], row["align_offset_s"], row["align_width"]) == (1, 0.04, 64)
    assert row["align_source_crop"] == "0, 0.125, 1, 0.75"
    assert pd.isna(row["align_output_crop"])
    assert to_frame([run()])["align_scale_x"].isna().all()
