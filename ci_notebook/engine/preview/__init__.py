"""Previews: one frame of a clip as a job would render it, within milliseconds.

Modules, in reading order:

previewer      `Previewer`: settings applied to frames, with caches for all that a slider does not change
preview_graph  the filter graph for one frame, made from the job's own graph
warm_ffmpeg    an FFmpeg that is started before its graph is known
snapshots      frames of a clip on the cloud, from the service's snapshots
"""
