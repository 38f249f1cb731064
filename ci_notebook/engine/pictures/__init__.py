"""What the engine does to a video: from a setting to filters, to a command, to a file."""
