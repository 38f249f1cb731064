"""Reading, measuring and writing video files with FFmpeg and PyAV.

Modules in reading order:

process         programs that end with the work, and with the process that started them
ffmpeg          the FFmpeg program: found once, run without a shell
color_tags      color facts: tags, FFmpeg's names for them, the rule for clips without tags
probe           facts of a file: which stream, how it is turned, how long it is
summary         the one-line summary of a file: what only frames and timestamps say is added
snapshot        one frame at an exact time, as RGB, JPEG or PNG
images          image files from elsewhere, opened within bounds
raw_frame       one frame as raw bytes, for FFmpeg's filter graph
frames          all frames of a video by number, with a cache
frame_sampling  a few frames, evenly spread
playback        what browsers can play, and a proxy for the rest
samples         the clips that ship with the package
spoil           makes a clip worse on purpose, to have a true reference
scoring         scores of picture quality
"""
