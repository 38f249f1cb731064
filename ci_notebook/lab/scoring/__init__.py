"""Scores without a job.

file_scoring  `score()`, which compares two local files
"""
