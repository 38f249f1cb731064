"""The embedded engine: answers the HTTP API of Cloud Infinite on this machine, with FFmpeg doing the work.

Modules, in reading order:

engine          `Engine`: opens all parts on one folder, and closes them
server/         the WSGI application, and the HTTP server on a port
calls/          one function per API call
jobs/           ledger, worker, executors, heartbeat: from an accepted job to its outcome
render/         from a setting and a source to output files
preview/        a setting shown on one frame, before a job
notify/         notifications that a job ended: outbox, sender, message queues
storage/        database, objects, uploads, bucket settings, cache
limits          time and disk limits of a job
read_slots      how many calls read videos at once, and for how long
faults          faults that a test or a lesson injects into calls and jobs
daemon_threads  executor with one daemon thread per call
"""
