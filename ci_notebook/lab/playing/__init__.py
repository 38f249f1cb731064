"""Videos to play and to take away.

video_files    local files of videos for the views: the original, or what a browser can play
play           `ci.play`: videos side by side in the browser's own player
"""
