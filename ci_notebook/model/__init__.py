"""The declarations of the API as Python values. Pure; the standard library only.

errors        all exceptions, in one tree
declaration/  how a node and its leaves are declared; paths that name them
setting/      one setting: enhancement, encoding, watermarks; rules, presets, advice, output sizes
api/          requests and replies: jobs, media info, snapshots, templates, queues
clip_summary  a clip in one line: size, frame rate, length, codec, dynamic range, sound
keywords      our own error for an unknown keyword argument
clip_labels   identity of clips, and a label for each
text_bytes    text of files that other programs wrote
bounds        upper limits on what is decoded: pixels, frames, streams, length
file_names    readable file names for outputs
spreadsheet/  texts that no spreadsheet takes for formulas
html          HTML tables and pictures for notebook outputs
"""
