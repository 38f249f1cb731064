"""The engine as a server.

Modules, in reading order:

wsgi            the WSGI application: one call in, one answer out
listener        the application on a port, with waitress
channel         one connection of the port: header names, timeouts, its end
request_parser  where one request ends and the next begins
head_check      refuses a call before its body arrives
"""
