"""Jupyter widgets: one folder per view, with its Python, JavaScript and CSS. A view asks a lab only through `ports`.

Reading order:

    ports          Protocols of everything that a view asks from a lab
    preview_ports  Protocols of what the preview pane asks from a lab
    file_ports     Protocols of the files that a view plays and saves
    shared         base class, worker threads, saved state, result output, JavaScript and CSS of all views
    enhance        `EnhancePanel`: one setting on one clip, and Submit
    preview        preview pane of the `EnhancePanel`
    compare        `CompareView`: two to four videos, frame by frame
    sweep          `SweepPanel`: many settings on some clips
    monitor        `Monitor`: live table of the jobs
    play           `PlayView`: videos side by side in the player of the browser
    vote           `VoteView`: blind comparison of runs
"""
