"""The lab: one object in which client, engine, experiment, results and widgets meet.

Modules in reading order:

- `connect`: `connect()`, which returns a lab on the embedded engine or on the cloud.
- `lab`: `Lab`, every call that a notebook makes; `job_calls`: its calls about single jobs.
- `arguments`: checks of what callers pass: clips, settings, times and numbers.
- `files`: the object key of a video, and its local file, downloaded once into the cache.
- `clips/`: uploads and facts of clips.
- `pictures`: frames of videos with captions, a job's result as HTML, progress bars, spoiled clips.
- `sweeps`: plan and run many settings, adopt jobs that exist, and search.
- `scoring`: `score()`, which compares two local files.
- `previews`: frames as a job would make them (for `EnhancePanel`).
- `monitor_jobs`: jobs, their prices, cancel and retry (for `Monitor`).
- `panel_sweeps`: designs, plans and runs (for `SweepPanel`).
- `vote_ballots`: ballots, frames and rankings (for `VoteView`).
"""
