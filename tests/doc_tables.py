"""Write the tables of docs/reference from the declarations: `python -m tests.doc_tables` updates them."""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from pathlib import Path

from ci_notebook.engine.calls.cos.sub_resources import SUB_RESOURCES
from ci_notebook.engine.render.supported import ACTED, REFUSED
from ci_notebook.model.api.jobs import Operation
from ci_notebook.model.declaration.node import part_by_tag
from ci_notebook.model.declaration.paths import Leaf, leaves
from ci_notebook.model.scores import SCORES, Score
from ci_notebook.wire.operations import CALL, CALLS, Call

REFERENCE = Path(__file__).parent.parent / "docs" / "reference"
PAGES = (REFERENCE / "parameters.md", REFERENCE / "calls.md", REFERENCE / "scores.md")


# Call → the client's method, and the official SDK's that judges the engine; "" where there is none,
# and where the SDK has none our own contract tests over both faces of the engine judge instead.
JUDGED = {
    "create_job": ("submit", "ci_create_media_jobs"),
    "list_jobs": ("jobs", "ci_list_media_jobs"),
    "get_jobs": ("job", "ci_get_media_jobs"),
    "cancel_job": ("cancel", "ci_cancel_jobs"),
    "create_template": ("templates.create", "ci_create_template"),
    "update_template": ("templates.update", "ci_update_template"),
    "list_templates": ("templates.list", "ci_get_template"),
    "delete_template": ("templates.delete", "ci_delete_template"),
    "list_queues": ("queues.list", "ci_get_media_queue"),
    "update_queue": ("queues.update", "ci_update_media_queue"),
    "activate_bucket": ("buckets.activate", ""),
    "deactivate_bucket": ("buckets.deactivate", ""),
    "list_buckets": ("buckets.list", "ci_get_media_bucket"),
    "media_info": ("media_info", ""),
    "store_snapshot": ("store_snapshot", ""),
    "video_info": ("video_info", "get_media_info"),
    "snapshot": ("snapshot", "get_snapshot"),
    "start_multipart": ("upload", "create_multipart_upload"),
    "put_part": ("upload", "upload_file"),
    "list_parts": ("upload", "list_parts"),
    "complete_multipart": ("upload", "complete_multipart_upload"),
    "abort_multipart": ("abort_uploads", "abort_multipart_upload"),
    "list_multiparts": ("upload", "list_multipart_uploads"),
    "list_objects": ("list_objects", "list_objects"),
    "put_object": ("upload", "put_object"),
    "get_object": ("download", "get_object"),
    "head_object": ("head", "head_object"),
    "delete_object": ("delete", "delete_object"),
    "head_bucket": ("", "head_bucket"),
    "delete_objects": ("", "delete_objects"),
    "list_versions": ("", "list_objects_versions"),
    "get_object_acl": ("", "get_object_acl"),
    "put_object_acl": ("", "put_object_acl"),
    "get_object_tags": ("", "get_object_tagging"),
    "put_object_tags": ("", "put_object_tagging"),
    "delete_object_tags": ("", "delete_object_tagging"),
    "get_bucket_acl": ("", "get_bucket_acl"),
    "get_bucket_location": ("", "get_bucket_location"),
    "get_bucket_versioning": ("", "get_bucket_versioning"),
    "get_bucket_logging": ("", "get_bucket_logging"),
    "put_bucket": ("", "create_bucket"),
    "list_all_buckets": ("", "list_buckets"),
}


def leaf_table() -> str:
    """Return the leaves as Markdown, one row per leaf that can be sent.

    The encoding next to a stage of the older kinds of jobs is that of VideoEnhance, and has one row.
    """
    head = "| Leaf below `Operation` | Takes | When absent | What it does | Sent | Engine |"
    rows = [head, "|---|---|---|---|---|---|"]
    sendable = [leaf for leaf in leaves(Operation) if not any(step.param.reply for step in leaf.steps)]
    rows += [_row(leaf) for leaf in sendable if leaf.stage != "Transcode"]
    encoding = part_by_tag(Operation)["Transcode"].param.help
    rows.append(f"| `Transcode.*` | as below `VideoEnhance.Transcode` | – | {encoding} | yes | as there |")
    return "\n".join(rows)


def call_table() -> str:
    """Return the calls as Markdown, a row a call."""
    return "\n".join(["| Call | Client | Engine | Judged by |", "|---|---|---|---|", *map(_call_row, CALLS)])


def score_table() -> str:
    """Return the scores as Markdown, a row per score, in the order of the columns."""
    head = "| Score | Unit | Range | Better | Worth having | Per frame | What it measures | Source |"
    return "\n".join([head, "|---|---|---|---|---|---|---|---|", *map(_score_row, SCORES)])


def sub_resource_table() -> str:
    """Return the sub-resources of COS as Markdown; those that are refused by every method share the last row."""
    refused = [name for name, sub in SUB_RESOURCES.items() if not sub.bucket and not sub.object]
    rows = ["| Parameter | On a bucket | On an object |", "|---|---|---|"]
    rows += [
        f"| `{name}` | {_answers(sub.bucket)} | {_answers(sub.object)} |"
        for name, sub in SUB_RESOURCES.items()
        if name not in refused
    ]
    return "\n".join([*rows, f"| {', '.join(f'`{name}`' for name in refused)} | – | – |"])


TABLES = {"leaves": leaf_table, "calls": call_table, "scores": score_table, "sub_resources": sub_resource_table}


def written(text: str) -> str:
    """Return the text of a page with each table between its two marks replaced."""
    return re.sub(
        r"(<!-- table: (\w+) .*?-->\n).*?(<!-- end of table -->)",
        lambda found: f"{found[1]}{TABLES[found[2]]()}\n{found[3]}",
        text,
        flags=re.DOTALL,
    )


def _score_row(score: Score) -> str:
    worth = (
        f"{score.worth:g}{' %' if score.is_share else f' {score.unit}' if score.unit else ''}" if score.worth else "–"
    )
    frames = "yes" if score.per_frame else "–"
    cells = (
        f"`{score.name}`", score.unit or "–", score.range or "–", score.better or "–", worth, frames, score.help,
        score.source,
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _call_row(call: Call) -> str:
    flags = "&".join(name if value is None else f"{name}={value}" for name, value in call.flags)
    host = {"ci": "CI", "cos": "COS", "region": "CI, no bucket", "service": "COS, no bucket"}[call.host]
    method, judge = JUDGED[call.name]
    client = f"`client.{method}`" if method else "–"
    by = f"SDK: `{judge}`" if judge else "contract tests"
    engine = "refused: `BucketAlreadyOwnedByYou`" if call.name == "put_bucket" else "answered"
    return f"| `{call.method} {call.path}{'?' + flags if flags else ''}` ({host}) | {client} | {engine} | {by} |"


def _answers(answers: Mapping[str, str]) -> str:
    if len(answers) == 5 and len(set(answers.values())) == 1:
        return f"every method: `{next(iter(answers.values()))}`"
    texts = [method if answer in CALL else f"{method}: `{answer}`" for method, answer in answers.items()]
    return ", ".join(texts) or "–"


def _row(leaf: Leaf) -> str:
    param = leaf.part.param
    engine = "acted on" if leaf.path in ACTED else f"refused: {REFUSED[leaf.path]}"
    many = " (repeat)" if not leaf.single else ""
    cells = (f"`{leaf.path}`{many}", leaf.part.allowed(), param.default or "–", param.help, "yes", engine)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


if __name__ == "__main__":
    for page in PAGES:
        page.write_text(written(page.read_text(encoding="utf-8")), encoding="utf-8")
    sys.exit(0)
