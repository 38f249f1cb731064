"""Scores of picture quality, with and without a reference.

Modules in reading order:

score         compares an output with its source, and measures a clip without a reference
frame_pairs   the facts of both videos, and the filters that make their frames comparable
alignment     finds the shift in time and the part of the frames that both show
misalignment  detects displaced frames and frames of another moment
ciede2000     color difference of two frames
no_reference  measures of one frame
aggregate     pools the values of frames into scores of a clip
"""
