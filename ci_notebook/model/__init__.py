"""The declarations of the API as Python values. Pure; the standard library only.

errors        all exceptions, in one tree
declaration/  how a node and its leaves are declared; paths that name them
setting/      one setting: enhancement, encoding, watermarks; rules, presets, advice, output sizes
api/          requests and replies: jobs, media info, snapshots, templates, queues
clip_summary  a clip in one line: size, frame rate, length, codec, dynamic range, sound
keywords      our own error for an unknown keyword argument
file_names    readable file names for outputs
html          HTML tables and pictures for notebook outputs
"""
