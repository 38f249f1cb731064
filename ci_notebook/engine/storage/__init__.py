"""Storage below the engine's folder.

Modules, in reading order:

database         the SQLite file and its schema
bucket_settings  buckets, queues, templates
object_store     objects as files
uploads          multipart uploads
object_keys      rules for keys and file names
crc64            the CRC-64 of COS
cache            LRU disk cache for expensive results
"""
