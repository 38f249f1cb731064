"""Runs, jobs, settings and templates as a DataFrame: one row each.

The columns and dtypes are always the same, also without rows, and a parameter has its usual name.
"""

from __future__ import annotations

import glob
import itertools
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, Protocol, cast

import pandas as pd
from lxml import etree

from ci_notebook._folders import readable_file, reading
from ci_notebook.experiment.run_record import Run
from ci_notebook.model.api.jobs import JobsDetail, Operation, Response
from ci_notebook.model.api.templates import Template
from ci_notebook.model.clip_labels import ClipIdentity, clip_labels, run_clip_labels
from ci_notebook.model.errors import CIError, MissingFile, ParameterError
from ci_notebook.model.scores import SCORE, score_names, suggestion, with_differences
from ci_notebook.model.setting.enhance import VideoEnhance
from ci_notebook.model.spreadsheet.spreadsheet_text import text_of_cell
from ci_notebook.model.text_bytes import encoding_of
from ci_notebook.model.vmaf_v1 import mixed_models, of_vmaf_v1
from ci_notebook.results.columns import (
    AGAINST,
    ALIGNMENT,
    ENDS,
    POOLED,
    RUN,
    SCORE_COLUMNS,
    SCORED_WITH,
    TIMES,
    Column,
    by_name,
    settings,
)
from ci_notebook.results.node_columns import read_nodes
from ci_notebook.results.tables.lab_table import LabTable, file_package, with_texts
from ci_notebook.results.xml_columns import dtype_of, names, of_values, read
from ci_notebook.wire.xml import MalformedXML
from ci_notebook.wire.xml_stream import elements


class JobLike(Protocol):
    """A job as `lab.submit` and `lab.jobs` return it."""

    @property
    def detail(self) -> JobsDetail:
        """The latest answer of the service about the job."""


Row = Run | JobsDetail | JobLike | VideoEnhance | Template
# What pandas, pyarrow and openpyxl raise for a file that is no such table, or a damaged one.
_OF_TABLES: Final = (
    ValueError,
    LookupError,
    TypeError,
    AttributeError,
    EOFError,
    SyntaxError,
    zipfile.BadZipFile,
    zlib.error,
)


def to_frame(shown: Row | Iterable[Row] | Response) -> pd.DataFrame:
    """Return one row per run, job, setting or template, in their order. A single one gives a table of one row.

    Without rows the columns and dtypes are the same. Unknown facts are missing (`<NA>`, `NaT`); empty texts
    are missing too.

    | Column | dtype | Unit | Meaning |
    |---|---|---|---|
    | run, clip | string | | the run's key, shortened; the clip's label, one per clip |
    | clip_md5 | string | | MD5 of the clip's content |
    | job_id | string | | id |
    | state | category | | Submitted < Running < Success < Failed < Pause < Cancel |
    | progress | Int64 | % | progress |
    | code, message | string | | `Success`, or why it failed |
    | created, started, ended | datetime64[us, UTC] | | times; missing until reached |
    | tag, queue_id, bucket, region, input_key | string | | kind, queue, source |
    | template_id, template_name, transcode_template_id | string | | templates, if used |
    | job_level | Int64 | | priority |
    | user_data | string | | text that was sent with the job |
    | *a path* | declared | declared | a leaf of the setting, below `VideoEnhance`; missing when left out or AUTO |
    | auto | string | | paths that are left to the service, `; ` between them |
    | unlisted | string | | `path=text` of received values outside their declaration, and of contradicting times |
    | output_key, output_md5 | string | | object key of the result; its digest |
    | format | string | | container of the result |
    | duration_s | Float64 | s | length of the result |
    | size_bytes | Int64 | bytes | size of the result |
    | bitrate_kbps, video_bitrate_kbps, audio_bitrate_kbps | Float64 | kbps | file, video, audio |
    | width, height | Int64 | px | size of a frame |
    | fps | Float64 | 1/s | frame rate |
    | pictures | Int64 | | number of frames |
    | codec, profile, pix_format, audio_codec | string | | encodings |
    | color_primaries, color_transfer, color_range | string | | colour |
    | rotation | Float64 | ° | rotation |
    | audio_rate_hz | Int64 | Hz | sample rate |
    | audio_channels | Int64 | | channels |
    | took_s | Float64 | s | from start to end of the job |
    | score_against | string | | `source`: scores measure change; `reference`: fidelity |
    | vmaf_v1_model | string | | model of VMAF v1; only scores of one model can be compared |
    | screen, score_note | string | | screen of VMAF v1; why a score is missing |
    | score_every | Int64 | | distance of the scored frames: 1 is all of them |
    | align_offset_frames | Int64 | | frames of the source skipped at the start; negative: of the output |
    | align_offset_s | Float64 | s | the same as a time |
    | align_start_s | Float64 | s | where in the source the compared stretch begins |
    | align_fps | Float64 | 1/s | common frame rate: the lower one of the two videos |
    | align_width, align_height | Int64 | px | size of the compared frames |
    | align_scale_x, align_scale_y | Float64 | | size of the compared frames over that of the used part of the source |
    | align_rotation | Int64 | ° | how far the source was turned clockwise |
    | align_source_crop, align_output_crop | string | | used part: left, top, width, height as shares of 1 |
    | psnr, xpsnr | Float64 | dB | of the luma; XPSNR weighted by how visible an error is |
    | ssim | Float64 | | of the luma; 1 is equal |
    | vmaf, vmaf_neg, vmaf_minus_neg | Float64 | | VMAF, without enhancement gain, and their difference; 0 to 100 |
    | vmaf_v1 | Float64 | | VMAF of 2026: sees colour, banding and viewing distance; 0 to 100 |
    | banding, flicker | Float64 | | CAMBI, 0 to 17; changes of areas that do not move in the source, of 255 |
    | delta_e | Float64 | | CIEDE2000 of the colours of small areas; 1 is just visible |
    | sharpness, contrast, colourfulness, noise | Float64 | | of the result alone; compare at one size only |
    | blockiness, si, ti | Float64 | | the same: coding blocks, spatial and temporal information |
    | psnr_hmean, psnr_p5, psnr_worst | Float64 | dB | harmonic mean, 5th percentile and worst frame |
    | xpsnr_hmean, xpsnr_p5, xpsnr_worst | Float64 | dB | the same |
    | ssim_hmean, ssim_p5, ssim_worst | Float64 | | the same |
    | vmaf_hmean, vmaf_p5, vmaf_worst | Float64 | | the same |
    | vmaf_neg_hmean, vmaf_neg_p5, vmaf_neg_worst | Float64 | | the same |
    | vmaf_v1_hmean, vmaf_v1_p5, vmaf_v1_worst | Float64 | | the same |
    | banding_p95, banding_worst | Float64 | | 95th percentile and worst frame |
    | delta_e_p95, delta_e_worst | Float64 | | 95th percentile and worst frame |
    | cost_cny | Float64 | CNY | price by the list |
    | error | string | | error outside the job: while sending, fetching or scoring |

    Setting columns are `Int64`, `Float64`, `boolean`, `string`, or an ordered `category` of the
    declared choices (`MsSharpen.SharpenLevel`, `Transcode.Video.Codec` …). Undeclared scores follow the
    declared ones, as Float64.
    """
    jobs, runs = [], []
    for one in _rows(shown):
        run = one if isinstance(one, Run) else None
        runs.append(run)
        jobs.append(_job(one))
    extra = _extra(runs) if any(runs) else {}
    return _frame(read_nodes(jobs), len(jobs), extra)


def read_jobs(*files: str | Path) -> pd.DataFrame:
    """Return the table of every `JobsDetail` in XML files: API responses and callbacks.

    A name may contain `*`, `?` and `**`. Files are read as streams, in the order of their names; the memory
    needed is that of the table. Raises `MissingFile` when a name matches nothing, and `MalformedXML`
    when a file cannot be read.
    """
    paths = [path for name in files for path in _files(name)]
    columns = read(itertools.chain.from_iterable(_jobs_of(path) for path in paths))
    return _frame(columns, len(columns["job_id"]), {})


def read_frame(path: str | Path) -> pd.DataFrame:
    """Return a table that was written as CSV, Parquet or Excel (by the ending of `path`), with its dtypes.

    CSV and Excel are read back as `to_csv(path, index=False)` and `to_excel(path, index=False)` wrote them. Raises
    `EngineError` where the package for Parquet or Excel is not installed, `MissingFile`, and `ParameterError` for a
    file that is no such table.
    """
    path = readable_file(path)
    kind = {".parquet": "Parquet", ".xlsx": "Excel"}.get(path.suffix, "CSV")
    try:
        with reading(path):
            return with_dtypes(_table_in(path, kind))
    except CIError:
        raise
    except UnicodeDecodeError as error:
        raise ParameterError.plain(
            f"{path.name} is not text in UTF-8. Save it as CSV with the encoding UTF-8."
        ) from error
    except _OF_TABLES as error:
        why = str(error).strip().partition("\n")[0][:200].rstrip(".") or type(error).__name__
        raise ParameterError.plain(
            f"{path.name} cannot be read as a {kind} table ({why}). Use a file that runs.save(path) wrote."
        ) from error


def _table_in(path: Path, kind: str) -> pd.DataFrame:
    if kind == "Parquet":
        with file_package(kind):
            return pd.read_parquet(path)
    if kind == "Excel":
        with file_package(kind):
            return pd.read_excel(path, dtype="string", engine="openpyxl", keep_default_na=False, na_values=[""])
    with path.open("rb") as file:
        encoding = encoding_of(file.read(4))
    df = pd.read_csv(path, dtype="string", keep_default_na=False, na_values=[""], encoding=encoding)
    return with_texts(df, text_of_cell)


def with_dtypes(df: pd.DataFrame) -> pd.DataFrame:
    """Return `df` with every declared column in its declared dtype, and other columns of numbers as Float64."""
    columns = {}
    for name in df.columns:
        column = by_name().get(name)
        if column is None:
            columns[name] = df[name] if df[name].dtype != "string" else df[name].astype("Float64")
        elif column.kind == "time":
            columns[name] = pd.to_datetime(df[name], utc=True, format="ISO8601").astype(dtype_of(column))
        elif column.kind == "truth" and df[name].dtype == "string":
            columns[name] = df[name].map({"True": True, "False": False}).astype("boolean")
        else:
            columns[name] = df[name].astype(dtype_of(column))
    return LabTable(columns, index=df.index)


def with_clip_labels(df: pd.DataFrame) -> pd.DataFrame:
    """Return `df` with one label per clip in `clip`, also where it was joined from tables that share a name."""
    if "clip" not in df.columns:
        return df
    columns = [
        df[name].fillna("").astype(str) if name in df.columns else [""] * len(df)
        for name in ("clip", "input_key", "clip_md5")
    ]
    labels = clip_labels([ClipIdentity(*values) for values in zip(*columns, strict=True)])
    if labels == list(columns[0]):
        return df
    return df.assign(clip=pd.array([label or None for label in labels], dtype="string"))


def differing(df: pd.DataFrame, *, ids: bool = False) -> pd.DataFrame:
    """Return the columns of `df` whose values are not the same in all rows; missing counts as a value.

    Columns that identify a job or hold its times (`run`, `job_id`, `created`, `output_md5` …) always differ and
    are left out unless `ids`. Of a table with one row, the columns with a value are returned.
    """
    names = [name for name in df.columns if (ids or name not in IDS) and _differs(df[name])]
    return df[names]


# These differ between any two jobs and say nothing about the settings.
IDS = frozenset(
    (
        "run",
        "clip_md5",
        "job_id",
        "created",
        "started",
        "ended",
        "took_s",
        "user_data",
        "output_key",
        "output_md5",
        "progress",
    )
)


def setting_columns() -> tuple[str, ...]:
    """Return the names of the setting columns, in order."""
    return tuple(column.name for column in settings())


def unit_of(name: str) -> str:
    """Return the unit of a column, "" when it has none."""
    column = by_name().get(name)
    return column.unit if column else ""


def resolve_column(df: pd.DataFrame, name: str) -> str:
    """Return the column that `name` means: itself, or a setting path of which it is an unambiguous ending.

    An ending that several settings share means the one that differs in `df`, if only one does.
    Raises `ParameterError` with the names that resemble it and the scores.
    """
    if name in df.columns:
        return name
    matches = [path for path in df.columns if path.endswith(f".{name}")]
    if len(matches) > 1:
        matches = [path for path in matches if _differs(df[path])] or matches
    if len(matches) == 1:
        return str(matches[0])
    if matches:
        raise ParameterError.plain(f"The name {name!r} is ambiguous. Write one of {', '.join(matches)}.")
    endings = Counter(path.rpartition(".")[2] for path in df.columns)
    known = [path.rpartition(".")[2] if endings[path.rpartition(".")[2]] == 1 else path for path in df.columns]
    scores = ", ".join(one for one in SCORE if one in df.columns) or ", ".join(SCORE)
    raise ParameterError.plain(
        f"No column is called {name!r}. {suggestion(str(name), known)}The scores are {scores}; "
        "a parameter is named by its path or an unambiguous ending of it."
    )


def refuse_mixed_models(df: pd.DataFrame, name: str) -> None:
    """Raise `ParameterError` where `name` belongs to VMAF v1, and the rows were scored with different models of it."""
    if not of_vmaf_v1(name) or "vmaf_v1_model" not in df or name not in df:
        return
    why = mixed_models(df["vmaf_v1_model"][df[name].notna()].dropna().unique())
    if why:
        raise ParameterError.plain(
            f"{why} Select the runs of one model, as in df[df.vmaf_v1_model == ...], or use another score, such as "
            "vmaf_neg."
        )


def _differs(values: pd.Series[Any]) -> bool:
    if len(values) == 1:
        return bool(values.notna().iloc[0])
    return bool(values.nunique(dropna=False) > 1)


def _rows(shown: Row | Iterable[Row] | Response) -> Iterable[Row]:
    if isinstance(shown, Response):
        return shown.jobs_detail
    if isinstance(shown, Run | JobsDetail | VideoEnhance | Template):
        return (shown,)
    if isinstance(getattr(shown, "detail", None), JobsDetail):
        return (cast("JobLike", shown),)
    if isinstance(shown, pd.DataFrame | str) or not isinstance(shown, Iterable):
        raise ParameterError.plain(
            f"to_frame() makes a table of runs, jobs, settings or templates, not of a {type(shown).__name__}."
        )
    return shown


def _job(shown: Row) -> JobsDetail:
    """Return the job that a row is read from. The setting of a run is the one that was requested."""
    if isinstance(shown, JobsDetail):
        return shown
    if isinstance(shown, VideoEnhance):
        return JobsDetail(operation=Operation(video_enhance=shown))
    if isinstance(shown, Template):
        content = shown.setting if isinstance(shown.setting, VideoEnhance) else None
        stored = Operation(template_id=shown.template_id, template_name=shown.name, video_enhance=content)
        return JobsDetail(tag=shown.tag, creation_time=shown.create_time, operation=stored)
    if not isinstance(shown, Run):
        return _detail(shown)
    job = shown.job or JobsDetail()
    return replace(job, operation=replace(job.operation or Operation(), video_enhance=shown.setting))


def _detail(job: JobLike) -> JobsDetail:
    detail = getattr(job, "detail", None)
    if not isinstance(detail, JobsDetail):
        raise ParameterError.plain(
            f"to_frame() makes a table of runs, jobs, settings or templates, not of a {type(job).__name__}."
        )
    return detail


def _extra(runs: Sequence[Run | None]) -> dict[str, list[Any]]:
    """Return the columns that do not come from jobs: name → values, undeclared scores included."""
    scores = [with_differences(run.scores) if run else {} for run in runs]
    undeclared = sorted({name for one in scores for name in one} - set(score_names()))
    alignments = [_alignment(run) for run in runs]
    labels = iter(run_clip_labels(run for run in runs if run))
    return {
        "run": [run and run.key[:12] for run in runs],
        "clip": [next(labels) if run else None for run in runs],
        "clip_md5": [(run and run.clip_md5) or None for run in runs],
        "score_against": [(run and run.score_against) or None for run in runs],
        **{name: [(run and getattr(run, name)) or None for run in runs] for name in SCORED_WITH},
        "score_every": [(run and run.every) or None for run in runs],
        **{column.name: [one.get(column.name) for one in alignments] for column in ALIGNMENT},
        **{name: [one.get(name) for one in scores] for name in (*score_names(), *undeclared)},
        "cost_cny": [run and run.cost_cny for run in runs],
        "error": [(run and run.error) or None for run in runs],
    }


def _alignment(run: Run | None) -> dict[str, Any]:
    """Return column → value of how the output of a run was aligned before scoring; empty when not known."""
    if run is None or run.alignment is None:
        return {}
    values = run.alignment.as_dict()
    for name in ("source_crop", "output_crop"):
        values[name] = ", ".join(map(repr, values[name])) if values[name] else None
    return {f"align_{name}": value for name, value in values.items()}


def _frame(columns: dict[str, Any], count: int, extra: dict[str, list[Any]]) -> pd.DataFrame:
    prefix = columns.pop("output_prefix")
    if not prefix.isna().all():
        columns["output_key"] = pd.Series(prefix).fillna("").array + columns["output_key"]
    elapsed = pd.Series(columns["ended"]) - pd.Series(columns["started"])
    for column in (*RUN, *TIMES, *AGAINST, *ALIGNMENT, *SCORE_COLUMNS, *POOLED, *ENDS):
        columns[column.name] = of_values(column, extra.get(column.name) or [None] * count)
    columns["took_s"] = elapsed.dt.total_seconds().astype("Float64").array
    order = list(names())
    place = order.index(POOLED[-1].name) + 1
    undeclared = [name for name in extra if name not in columns]
    for name in undeclared:
        columns[name] = of_values(Column(name, "number", ""), extra[name])
    return LabTable({name: columns[name] for name in (*order[:place], *undeclared, *order[place:])})


def _files(name: str | Path) -> Iterator[Path]:
    with reading(name):
        paths = sorted(glob.glob(str(name), recursive=True)) or ([str(name)] if Path(name).exists() else [])  # noqa: PTH207 - a pattern may be absolute
    if not paths:
        raise MissingFile.at(name)
    return map(Path, paths)


def _jobs_of(path: Path) -> Iterator[etree._Element]:
    with reading(path), readable_file(path).open("rb") as file:
        try:
            yield from elements(file, "JobsDetail")
        except MalformedXML as error:
            raise MalformedXML(f"{path.name}: {error}") from error
