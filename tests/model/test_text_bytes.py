"""Text of files of other programs."""

from __future__ import annotations

from pathlib import Path

import pytest

from ci_notebook.model.text_bytes import decode, read_text

TEXT = "secret_id = 数据 é\n"


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32"]
)  # Notepad: ANSI apart, these are its choices
def test_a_mark_never_becomes_a_part_of_the_text(encoding: str, tmp_path: Path) -> None:
    assert decode(TEXT.encode(encoding)) == TEXT
    (tmp_path / "a").write_bytes(TEXT.replace("\n", "\r\n").encode(encoding))
    assert read_text(tmp_path / "a") == TEXT


def test_two_marks_and_empty_files_are_read() -> None:
    assert decode("\ufeff\ufeffa".encode()) == "a"
    assert decode(b"") == decode(b"\xef\xbb\xbf") == decode(b"\xff\xfe") == ""
    with pytest.raises(UnicodeDecodeError):
        decode("é".encode("latin-1"))
