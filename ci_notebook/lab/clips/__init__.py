"""The clips of a lab.

Modules in reading order:

- `clip_uploads`: keys of their own for clips, and checks that a key still has the content of its clip.
- `clip_facts`: length, size and codec of clips, read from the service once per clip.
- `job_changes`: what a job would change or leave out that its setting does not say.
"""
