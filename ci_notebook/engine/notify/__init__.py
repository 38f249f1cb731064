"""Notifications that a job ended: by callback (POST to a URL) or through a message queue.

Modules, in reading order:

addresses       which addresses may be called
notification    what a notification contains, and where it goes
outbox          notifications that are not delivered yet, with retry and backoff
sender          the thread that delivers them
message_queues  the engine's own message queues
"""
