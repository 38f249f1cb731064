"""Jobs: from an accepted request to objects in the bucket.

Modules, in reading order:

ledger        the table of jobs, their states and leases
worker        claims waiting jobs, renews their leases and writes their ends
run_job       one job to its outcome, in this process or another
render_job    the work of a job: find the source, render, name the outputs
outcome       the outcome as plain values
heartbeat     shows that an engine is alive
executors     runs jobs in other processes, replaces a broken executor
dask_cluster  a Dask cluster as the executor
"""
