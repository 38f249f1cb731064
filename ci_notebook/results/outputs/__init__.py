"""Outputs of runs as files.

Modules in reading order:

run_files    saves the outputs of runs under readable names
"""
