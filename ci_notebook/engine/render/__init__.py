"""Renderer: from an operation and a source file to output files.

Modules, in reading order:

render              the whole way: probe, analyse, run FFmpeg, check the output
analysis            what AUTO is resolved from
auto/               what is measured on frames, and the values that AUTO stands for
graph               from a setting to FFmpeg's video filters
filters/            correction, tone and sharpening in FFmpeg's filters
command             from an operation to FFmpeg's command line
changes             what a job changes or leaves out without being asked
interval            the part of the source that a job works on
hdr                 how SDRtoHDR is coded
output/             encoders, audio, segments, check of the length
watermark/          visible watermarks
digital_watermark/  invisible watermarks
motion/             FrameDoubling by optical flow
super_resolution/   the network that doubles the size of frames
supported           which leaves the engine acts on, and which it refuses
refusal             the error for a request that cannot be rendered
cache_lookup        reuse of earlier analyses and outputs
stage_cache         lossless cache of the expensive first stages
pixel_version       the version in the cache keys
"""
