"""Blind comparisons of runs.

vote    one answer of a voter
ballot  the questions of a voter, in random order
"""
