"""Super-resolution by a small neural network, for SuperResolution's version Enhance.

Modules, in reading order:

network     loads the network and doubles one frame
frame_pipe  runs frames through two FFmpegs with Python between them
"""
