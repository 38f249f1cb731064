"""How requests and replies travel: XML, signatures, the tables of calls and errors. Pure; used by both ends.

xml             nodes to XML and back
xml_stream      reads long XML one element at a time
operations      the table of calls: the client builds from it, the engine routes by it
error_codes     the table of error codes
service_errors  errors from a code, from a reply, and as a reply
secret          text that is used to sign and is never shown
signing         creates and verifies signatures
headers         reads dates and sizes
notifications   reads job-completion notifications
received        the XML of jobs as it came
"""
