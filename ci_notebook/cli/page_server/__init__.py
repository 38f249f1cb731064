"""The server of the verb `app`: Voila behind a check of every request, with a bounded number of kernels.

Modules in reading order:

- `gate`: which requests are let in, by Host, Origin, token and cookie.
- `page_limits`: the defaults of the limits.
- `page_kernels`: the kernels of the open pages: how many there may be, and when they end.
- `server`: Voila with both, as the program of a child process.
"""
