"""Whether one value of a parameter is better than another, by how much, and how certain that is.

Reading order:

    verdict             `verdict`, `verdicts`, `all_verdicts` and their results
    run_pairs           pairs of runs that differ in one parameter only
    paired_statistics   intervals of the mean of paired differences
"""
