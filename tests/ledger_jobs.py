"""Many jobs in a ledger without the work: written as the engine would have left them."""

from __future__ import annotations

import uuid
from typing import Any, get_args

from ci_notebook.engine.jobs.ledger import JobRow
from ci_notebook.model.api.jobs import State
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, VideoEnhance
from ci_notebook.wire.xml import dumps

FAILURE = {"code": "ResourceNotSupported", "message": "no <video> in it"}


def fill(lab: Any, clip: Any, number: int, *, state: State | None = None) -> list[str]:
    """Put jobs of all states but Running into the lab's ledger, a second apart, and return their ids, oldest first."""
    service = lab.engine.start()
    queue = service.catalogue.queues(lab.bucket)[0]
    states = [one for one in get_args(State) if one not in ("Running", "Submitted", "Pause")]
    ids, begun = [], service.clock() - 2 * number
    for at in range(number):
        setting = VideoEnhance(
            ms_sharpen=MsSharpen(sharpen_level=at % 11), color_enhance=ColorEnhance(contrast=at % 101)
        )
        request = enhance_request(clip.key, setting, bucket=lab.bucket, region=lab.region)
        now: str = state or ("Success" if at % 10 else states[at // 10 % len(states)])
        facts = FAILURE if now == "Failed" else {}
        is_over = now not in ("Submitted", "Pause")
        ids.append(f"j{uuid.uuid4().hex}")
        service.ledger.add(
            JobRow(
                job_id=ids[-1],
                bucket=lab.bucket,
                queue_id=queue.queue_id,
                tag="VideoEnhance",
                input_object=clip.key,
                state=now,
                progress=100 if now == "Success" else 0,
                created=begun + 2 * at,
                started=begun + 2 * at if is_over else None,
                ended=begun + 2 * at + 1.5 if is_over else None,
                request=dumps(request),
                work=dumps(request.operation),
                **facts,
            )
        )
    return ids
