"""Videos side by side in the browser's own player.

play_view    `PlayView`, kernel side; `view.js` is its page side
"""
