"""Whether one value of a parameter is better than another, by how much, and how certain that is.

Reading order:

    verdict             `verdict`, `verdicts` and `all_verdicts`
    record              `Verdict` and `Verdicts`; the definition of the answers
    judgement           the answer that the differences of the clips support
    more_data           what would decide an undecided question, and what it costs
    run_pairs           pairs of runs that differ in one parameter only
    paired_statistics   intervals of the mean of paired differences
    default_score       the score that is used when none is named
    wording, card       a verdict as sentences, and as HTML
"""
