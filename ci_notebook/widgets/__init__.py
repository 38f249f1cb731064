"""Hands and eyes: what a notebook shows to be moved and pressed. What it calls is passed in."""
