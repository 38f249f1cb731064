"""The video of a file: which stream it is, when each of its frames is shown, and how a part of it is read.

Modules, in reading order:

selection     opens a file and chooses its video stream
time_limit    a time limit for all of them
sample_tables counts the samples that a file states, before they are indexed
frame_times   the times of all frames, read from the packets
frame_reader  decodes frames by number
fields        joins the fields of interlaced video
stretch       FFmpeg's arguments that read the same frames
"""
