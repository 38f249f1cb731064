"""Super-resolution by a small neural network, for SuperResolution's version Enhance.

Modules, in reading order:

network     loads the network and doubles one frame
hdr_frames  shows it SDR-referred luma of HDR frames
frame_pipe  runs frames through two FFmpegs with Python between them
"""
