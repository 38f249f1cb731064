"""Preview pane of the `EnhancePanel`.

pane         kernel side: renders previews in a worker thread
pane.js      page side: shows before and after, and moves watermarks by mouse or keys
"""
