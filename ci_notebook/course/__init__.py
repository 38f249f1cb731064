"""The exercises of the tutorials.

Modules in reading order:

- `exercises`: every exercise with its question, hints and judge, and `check()`.
- `feedback`: the feedback on an answer, and helpers for judges.
"""
