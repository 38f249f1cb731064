"""The API calls: one module per group of calls; each call is a function of the engine's parts and one exchange.

Modules, in reading order:

exchange            one call and its answer, whether it came in process or over a port
context             the parts of an engine that calls use, and helpers that read and answer
jobs                create, get, list and cancel jobs
job_details         from a row of the ledger to the `JobsDetail` of a reply
job_xml             the same as XML text, for lists of thousands of jobs
template_expansion  replaces template ids in a job by the templates' nodes
templates           create, update, list and delete templates
queues              list and update queues
buckets             switch media processing on and off
media               facts and snapshots of a stored video
objects             put, get, head, delete and list objects
object_copy         copy objects and parts inside the engine
multipart           multipart uploads
cos                 further calls of COS that other clients make, and what is refused of it
"""
