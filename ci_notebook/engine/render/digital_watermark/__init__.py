"""Digital watermark: a text hidden in the frames of a video, readable without the original.

Modules, in reading order:

embedding          a digital watermark in a job: embed, read back, embed more strongly
strength           the amplitude that a clip needs, measured on two seconds
pattern            from a text to one still pattern, and back from a video
payload            from a text to few bits
polar_code         error correction
carrier            the signal: where the bits go in a frame, and how they are read
motion_prediction  the content removed along its motion, so that the watermark shows
"""
