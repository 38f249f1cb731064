"""The client: every call that opens a connection is made here.

client        `Client`: one bucket and its calls
job           `Job`: one job, to look at, wait for and download
watch         `Watch`: several jobs at once
polling       waits for jobs by polling, with growing pauses
submit        submits a job exactly once
receiver      receives job-completion callbacks on this machine
objects       uploads, downloads and lists objects
multipart     uploads large objects in parts, and resumes
templates     templates of a bucket
queues        queues of a bucket, and its activation
paging        reads lists page by page
async_bridge  runs blocking work next to an event loop
outputs/      saves the outputs of jobs under readable names
connection/   HTTP, credentials and transports
"""
