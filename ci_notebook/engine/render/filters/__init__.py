"""Filters of the stages that change color and detail. Each takes plain numbers and returns FFmpeg filters.

Modules, in reading order:

correction   casts and levels, one curve a channel
tone         contrast, and saturation up to the edge of the gamut
sharpening   detail, with limited halos

They work on SDR frames of 8 or 10 bits in limited range, and return 10 bits where they change color, so that
each step of a parameter changes the frame. FFmpeg dithers when the output has 8 bits.
"""
