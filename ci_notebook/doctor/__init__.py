"""`ci.doctor()` and `ci-notebook doctor`: check what is installed and what works, and say how to fix the rest.

Modules in reading order:

- `doctor`: `doctor()`, which runs all checks.
- `findings`: one finding, and the report of all findings as text, HTML and JSON.
- `packages`: checks of the installed packages and of the Jupyter front ends.
- `machine`: checks of FFmpeg, the disk and the keys.
- `service_checks`: checks of a bucket: connection, clock, keys and permissions.
"""
