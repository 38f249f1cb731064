"""The DataFrame of the lab, and the files that it reads and writes."""
