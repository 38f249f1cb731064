"""Outputs in segments are scored like any other: their pictures are joined into one file."""

from __future__ import annotations

import av
import pytest

from ci_notebook.experiment.playlists import segments_of
from ci_notebook.model.setting.enhance import MsSharpen, VideoEnhance
from ci_notebook.model.setting.transcode import Audio, Container, Transcode, Video


@pytest.mark.slow
@pytest.mark.parametrize("form", ["hls", "dash"])
def test_a_playlist_is_scored_by_its_pictures(form, go, client):
    setting = VideoEnhance(
        transcode=Transcode(container=Container(format=form), video=Video(), audio=Audio()),
        ms_sharpen=MsSharpen(sharpen_level=3),
    )
    (run,) = go([setting])
    assert run.ok, run.error
    with av.open(str(run.output)) as container:
        assert sum(1 for _ in container.decode(video=0)) == 6
    fetched = len(client.fetched)
    (again,) = go([setting], rescore=True)
    assert again.output == run.output
    assert len(client.fetched) == fetched, "nothing is fetched twice"


def test_the_playlist_gives_the_order_and_foreign_segments_are_not_downloaded():
    keys = ["out/a.m3u8", "out/a-0.m4s", "out/a-1.m4s", "out/init.mp4"]
    text = '#EXTM3U\n#EXT-X-MAP:URI="init.mp4"\n#EXTINF:2,\na-1.m4s\n#EXTINF:2,\na-0.m4s\n'
    assert segments_of(keys, text) == ["out/init.mp4", "out/a-1.m4s", "out/a-0.m4s"]
    assert segments_of(keys, text + "../secret.ts\n") == []
    assert segments_of(keys, "#EXTM3U\n") == []
    assert segments_of(["out/a.mpd", "out/b.m4s"], "<MPD/>") == []
