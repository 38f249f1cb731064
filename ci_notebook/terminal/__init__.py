"""The verbs of `ci-notebook`, one file or folder each."""
