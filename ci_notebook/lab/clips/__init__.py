"""The clips of a lab.

Modules in reading order:

- `clip_uploads`: separate keys for clips, and checks that a key still has the content of its clip.
- `clip_facts`: length, size and codec of clips, read from the service once per clip.
"""
