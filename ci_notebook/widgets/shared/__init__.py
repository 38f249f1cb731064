"""Parts that all views share.

Reading order:

    base_view       base class of the views: display, safe close, checked keywords; text of an error
    workers         threads that do only the newest work: a debounced worker and a latest-only queue
    clip_lines      the line about a clip under a panel's title
    persistence     state of a panel with a `key`, in a small JSON file
    result_output   results as an output of the cell, saved with the notebook

`dom.js`, `mount.js`, `wipe.js`, `base.css`, `mount.css` and `wipe.css` come first in the bundle of each view that
uses them.
"""
