"""One setting: what to do to a video, and how to encode the result.

enhance    the enhancement stages, and `VideoEnhance` as the root
transcode  the encoding of the output
watermark  visible and digital watermarks
rules      which combinations the API allows
advice     valid combinations that are probably unintended
presets    named settings as starting points
shape      size, frame rate and length of an output, computed from setting and source
"""
