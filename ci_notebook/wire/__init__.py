"""How it is said: XML, signatures, the table of calls, the table of errors. Pure; used by both ends."""
