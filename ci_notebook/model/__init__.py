"""What can be said: every node of the API, declared once. Standard library only."""
