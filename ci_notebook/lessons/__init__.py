"""The exercises of the tutorials, and the feedback on answers."""
