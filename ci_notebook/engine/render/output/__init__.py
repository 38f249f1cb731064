"""Output files: how pictures and audio are encoded, packed and cut.

Modules, in reading order:

encoders    from Transcode to FFmpeg's encoders and containers
audio       audio tracks and mixed-in audio
segments    hls and dash
truncation  detects outputs of broken sources
"""
