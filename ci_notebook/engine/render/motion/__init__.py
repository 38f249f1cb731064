"""FrameDoubling by optical flow: each new frame is half way between two.

Modules, in reading order:

frame_doubler    whether OpenCV is here, and the command that doubles the frames of a pipe
doubling_filter  the program behind it: raw frames in, twice as many out
interpolation    how one new frame is made
"""
