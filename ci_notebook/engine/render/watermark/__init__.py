"""Visible watermarks: text and images on the video.

Modules, in reading order:

watermark_overlay  one watermark as a picture, a position and a time
background_image   an image under the video
fonts              typefaces for text watermarks
"""
