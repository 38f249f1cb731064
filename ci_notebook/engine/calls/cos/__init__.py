"""The calls of COS beyond those that our own client makes, and what is refused of it.

Modules, in reading order:

sub_resources    the table of sub-resources (`?acl`, `?tagging`, …): which call does each, or how it is refused
request_headers  the table of headers that ask for something: which are kept, and which are refused
acl              access control lists of objects and buckets
tags             tags of objects
deletion         deletes many objects in one call
bucket_calls     lists buckets, and tells location, versioning and logging of one
"""
