"""Frame-by-frame comparison of two to four videos.

    sides             which videos can be shown, and how they are named
    common_timeline   frame numbers and scores on a timeline that all videos share
    compare_view      `CompareView`, kernel side

On the page: `controls.js` (buttons, requests, frame cache), `stage.js` (panes, loupe), `scopes.js` (histogram,
waveform, score plot), `loop.js` (playback), `requests.js` (fetch and draw), `bars.js` (rows of controls), `view.js`.
"""
