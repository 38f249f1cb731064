"""Blind comparison of runs.

vote_view    `VoteView`, kernel side
view.js      page side: two frames, three answers
"""
