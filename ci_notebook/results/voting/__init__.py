"""Rankings of settings from blind votes.

Reading order:

    ranking         `ranking`: strengths, intervals, agreement of scores with voters, consistency of voters
    bradley_terry   the model behind it, and Wilson's interval
"""
