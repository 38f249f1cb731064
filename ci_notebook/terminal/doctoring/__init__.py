"""`doctor`: what is installed, what it can do, and what the service says, each finding with its remedy."""
