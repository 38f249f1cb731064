"""Saying it: the only room that opens connections."""
