"""Requests and replies of the API, as nodes.

jobs            `Request`, `Operation`, `JobsDetail`, and the job states
requests        builds complete requests from a setting
media_info      properties of a media file
snapshot_calls  bodies of the calls for media info and snapshots
templates       templates: settings that the service stores
queues          queues and bucket activation
"""
