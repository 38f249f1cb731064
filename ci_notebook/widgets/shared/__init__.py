"""Parts that all views share.

Reading order:

    base_view       base class of the views: display, safe close, checked keywords; text of an error
    workers         threads that do only the newest work: a debounced worker and a latest-only queue
    clip_lines      the line about a clip under a panel's title
    persistence     state of a panel with a `key`, in a small JSON file
    result_output   results as an output of the cell, saved with the notebook
    take_away       plays and saves videos on the page: files travel in pieces over the widget channel

`take_away.js` (buttons), `player.js` (loaded with the first click) and `take_away.css` are the page side of the last.
`dom.js`, `wipe.js`, `base.css` and `wipe.css` come first in the bundle of each view that uses them.
"""
