"""Files of finished jobs.

download    saves the output of a job under a readable name, from the cache or from the bucket
"""
