"""Prices of jobs, before they are sent.

price       published price lists, and the price of one job
price_file  a custom price list from a TOML file
quote       the price of a sweep, job by job
"""
