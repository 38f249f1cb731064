"""File names that a file system allows and that some program takes for more than a name."""

from __future__ import annotations

import os
import sys

# What it would be taken for → a name. All of them are names of MP4 files.
ODD_NAMES = {
    "mathematics": "US$_and_CA_$_rates.mp4",
    "broken mathematics": "a$\\frac{1$.mp4",
    "hidden legend": "_hidden.mp4",
    "no legend": "_nolegend_.mp4",
    "option": "-y.mp4",
    "option with value": "-i input.mp4",
    "image sequence": "frame%03d.mp4",
    "percent escape": "100%25 a%2Fb.mp4",
    "protocol": "concat:a.mp4|b.mp4",
    "pipe": "pipe:0.mp4",
    "drive": "C:clip.mp4",
    "quotes": 'it\'s "quoted" `here`.mp4',
    "brackets": "[in]scale=2:2[out];(a){b}.mp4",
    "glob": "*?[a-z].mp4",
    "backslash": "back\\slash\\n.mp4",
    "blanks": "  two  blanks .mp4 ",
    "script": "<script>alert(1)</script>&amp;.mp4".replace("/", "\u2215"),
    "attribute": "'\" onerror='x' .mp4",
    "formula": "=1+2.mp4",
    "at": "@SUM(A1).mp4",
    "plus": "a+b c&d=e#f?g.mp4",
    "variables": "${jobid}.${ext}.mp4",
    "format": "{0}{name!r}%s.mp4",
    "tilde": "~root.mp4",
    "only an ending": ".mp4",
    "no ending": "clip",
    "dots": "..a...mp4",
    "dashes": "--.mp4",
    "comma": "a,b;c.mp4",
    "Chinese": "数据 视频.mp4",
    "emoji": "👩‍👩‍👧 film 🎬.mp4",
    "combining": "cafe\u0301.mp4",
    "composed": "caf\u00e9.mp4",
    "right to left": "\u05e9\u05dc\u05d5\u05dd.mp4",
    "override": "a\u202e4pm.mp4",
    "line separator": "a\u2028b\u0085c.mp4",
    "no character": "a\ufffeb.mp4",
    "long": "l" * 247 + ".mp4",
    "long Chinese": "数" * 83 + ".mp4",
}
if sys.platform != "win32":
    ODD_NAMES |= {
        "line break": "two\nlines.mp4",
        "tab and return": "a\tb\rc.mp4",
        "control": "a\x01\x1b[31mb\x7f.mp4",
        "not UTF-8": os.fsdecode(b"caf\xe9.mp4"),
    }
