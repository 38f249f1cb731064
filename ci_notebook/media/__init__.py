"""FFmpeg at arm's length: running it, and reading what a video is."""
