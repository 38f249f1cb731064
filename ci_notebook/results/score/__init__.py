"""Scores of two files that no job connects.

file_scores  `FileScores`, the result of `ci.score`
"""
