"""Experiments: which settings to try, what they cost, the runs, and their scores.

settings     what a run can use: a setting or a template
sweep        sequences of settings: `grid`, `pairs`, `random` …
pricing/     prices of jobs and sweeps
run_record   `Run`: one setting on one clip, and its result
journal      every run, in an SQLite file
lease        which processes that use the journal are alive
client_port  the part of a client that an experiment needs; the limit of calls per second
run          runs settings on clips, and resumes
run_queue    the state of each run of one call
scoring      downloads, scores and prices the output of a job
adoption/    jobs that somebody else sent, turned into runs
playlists    outputs in segments (HLS, DASH)
progress     progress and time left
search       searches for good settings with Optuna
voting/      blind comparisons of runs
"""
