"""What the engine answers: one file a group of calls, each a function of the service and one exchange."""
