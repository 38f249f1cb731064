"""Fixtures for runs: a tiny clip, the real engine, and the real client, which counts its calls."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.transport import WSGITransport
from ci_notebook.client.objects import Clip
from ci_notebook.engine.engine import Engine
from ci_notebook.experiment.journal import Journal
from ci_notebook.experiment.run import RunOptions, run_all
from ci_notebook.experiment.sweep import grid
from tests.support import write_clip

BUCKET, REGION, ID, KEY = "lab-1250000000", "ap-chongqing", "AKIDexample", "secret-example"
SERVICE = "test"
SWEEP = grid(None, SharpenLevel=[0, 5, 10])


@pytest.fixture(scope="session")
def video(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_clip(tmp_path_factory.mktemp("clips") / "tiny.mp4", seconds=0.6, size="192x128")


@pytest.fixture
def engine(tmp_path):
    with Engine(tmp_path / "engine", bucket=BUCKET, region=REGION, keys={ID: KEY}, workers=2) as engine:
        yield engine


class Counting(Client):
    """The real client, which counts what it sends and can be broken off."""

    def __init__(self, engine: Engine, **more: object) -> None:
        keys = Credentials(ID, KEY)
        super().__init__(
            BUCKET, region=REGION, credentials=keys, transport=WSGITransport(engine.app), scheme="http", **more
        )
        self.sent, self.asked, self.fetched = [], [], []
        self.before_submit = self.after_submit = lambda: None

    def submit(self, request):
        self.before_submit()
        self.sent.append(request.operation.user_data)
        job = super().submit(request)
        self.after_submit()
        return job

    def job(self, *ids):
        self.asked.append(ids)
        return super().job(*ids)

    def download(self, key, path, **more):
        self.fetched.append(key)
        return super().download(key, path, **more)


@pytest.fixture
def client(engine):
    with Counting(engine) as client:
        yield client


@pytest.fixture
def clip(client, video) -> Clip:
    stored = client.upload(video, "input/tiny.mp4")
    return Clip(
        key=stored.key,
        bucket=BUCKET,
        region=REGION,
        size_bytes=stored.size_bytes,
        md5=stored.etag,
        path=video,
        name="tiny",
    )


@pytest.fixture
def journal(tmp_path):
    with Journal(tmp_path / "journal.sqlite") as journal:
        yield journal


def small_scores(output: Path, source: Path, /, **more: float) -> dict[str, float]:
    return {"psnr": 30.0 + len(more.keys() - {"cancel"}), "bytes": float(output.stat().st_size)}


@pytest.fixture
def go(client, clip, journal, tmp_path):
    def go(settings=None, clips=None, **more):
        more = {"measure": small_scores, "service": SERVICE, "journal": journal, "settle_s": 0.0} | more
        return run_all(
            client, clip if clips is None else clips, SWEEP if settings is None else settings,
            RunOptions(cache=tmp_path / "cache", **more),
        )  # fmt: skip

    return go
