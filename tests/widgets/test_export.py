"""Python that a panel shows, pasted into a notebook."""

from __future__ import annotations

import ci_notebook as ci
from ci_notebook.model.declaration.node import AUTO, Node, Unknown, parts
from ci_notebook.model.setting.enhance import ColorEnhance, MsSharpen, VideoEnhance
from ci_notebook.model.setting.transcode import AudioMix, Container, Transcode, Video
from ci_notebook.widgets.enhance.export import python_text


def rebuilt(text):
    return eval(text, {"ci": ci})  # noqa: S307  that it is Python is what is tested


def nodes(root):
    yield root
    for part in parts(root):
        if part.node is not None:
            yield from nodes(part.node)


def test_every_node_of_a_setting_is_a_name_of_the_package():
    for node in nodes(VideoEnhance):
        assert getattr(ci, node.__name__) is node


def test_a_long_setting_is_broken_one_part_a_line():
    setting = VideoEnhance(
        transcode=Transcode(container=Container(format="mp4"), video=Video(codec="H.265", crf=20.0, fps=23.976)),
        color_enhance=ColorEnhance(contrast=AUTO, saturation=120),
        ms_sharpen=MsSharpen(),
    )
    text = python_text(setting)
    assert rebuilt(text) == setting
    assert max(map(len, text.splitlines())) < 80
    assert "        contrast=ci.AUTO,\n" in text


def test_odd_texts_repeated_and_unknown_nodes_are_rebuilt():
    mix = AudioMix(audio_source="https://a/'\"\\\n.mp3")
    setting = VideoEnhance(
        transcode=Transcode(container=Container(format="mp4"), audio_mix_array=(mix,)),
        unknown=(Unknown("New", children=(Unknown("Leaf", "AUTO"),)),),
    )
    assert rebuilt(python_text(setting)) == setting
    assert isinstance(rebuilt(python_text(VideoEnhance())), Node)
