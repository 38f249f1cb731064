"""AUTO: the values that the engine chooses for a clip.

Modules, in reading order:

frame_measures   what is measured on each sampled frame, and how a clip's facts follow
auto_values      from the facts to Contrast, Correction, Saturation and SharpenLevel

The rule is to do no harm. A clip counts as spoiled only where no pixel is near white or none near black, or
where one channel never comes near the lightest one. All other clips get a small, fixed change.
"""
