"""Many runs: which settings to try, what they cost, what was asked, and how it went."""
