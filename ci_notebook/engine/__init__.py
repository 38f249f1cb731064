"""The embedded Cloud Infinite: the same HTTP API answered by us, with FFmpeg doing the work."""
