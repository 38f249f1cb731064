"""An unknown keyword is refused by our own error, with the nearest names, and the signature stays."""

import inspect

import pytest

from ci_notebook.client.client import Client
from ci_notebook.model.api.requests import enhance_request
from ci_notebook.model.errors import ParameterError
from ci_notebook.model.keywords import checks_keywords


@checks_keywords
def submit(clip: str, *, watermark: str = "", user_data: str = "") -> str:
    return clip + watermark + user_data


def test_known_keywords_pass_and_the_signature_stays() -> None:
    assert submit("a", watermark="b", user_data="c") == "abc"
    assert list(inspect.signature(submit).parameters) == ["clip", "watermark", "user_data"]


def test_an_unknown_keyword_gets_a_suggestion_or_the_list() -> None:
    with pytest.raises(ParameterError, match=r"^submit\(\) has no keyword 'watermrk'\. Did you mean 'watermark'\?$"):
        submit("a", watermrk="b")  # type: ignore[call-arg]
    with pytest.raises(ParameterError, match="Its keywords are watermark, user_data"):
        submit("a", xyz="b")  # type: ignore[call-arg]


def test_requests_and_jobs_refuse_unknown_keywords() -> None:
    with pytest.raises(ParameterError, match="Did you mean 'user_data'"):
        enhance_request("a.mp4", bucket="b-1250000000", region="r", userdata="x")  # type: ignore[call-arg]
    with pytest.raises(ParameterError, match="Did you mean 'states'"):
        Client.jobs(None, state="Failed")  # type: ignore[arg-type, call-arg]
