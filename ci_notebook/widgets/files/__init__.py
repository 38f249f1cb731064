"""Videos that a view plays and saves on the page.

    take_away   the Python side: files travel in pieces over the widget channel

`take_away.js` (buttons), `player.js` (loaded with the first click) and `take_away.css` are the page side.
"""
