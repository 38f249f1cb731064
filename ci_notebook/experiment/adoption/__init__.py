"""Jobs that somebody else sent, turned into runs.

given_jobs  reads jobs from ids, XML, JSON and files
foreign     which jobs can become runs, and with which clip and setting
adopt       records, downloads, scores and prices them; sends nothing
"""
