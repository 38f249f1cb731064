"""A little cloud and a client to it, with a clock that no test waits for."""

from __future__ import annotations

import pytest

from ci_notebook.client.client import Client
from ci_notebook.client.connection.credentials import Credentials
from ci_notebook.client.connection.transport import WSGITransport
from tests.client.fake_cloud import BUCKET, REGION, SECRET_ID, SECRET_KEY, LittleCloud


@pytest.fixture
def cloud():
    return LittleCloud()


@pytest.fixture
def slept():
    return []


@pytest.fixture
def client(cloud, slept):
    with Client(
        BUCKET, region=REGION, credentials=Credentials(SECRET_ID, SECRET_KEY), transport=WSGITransport(cloud),
        sleep=slept.append,
    ) as client:  # fmt: skip
        yield client
