"""What came of the runs: frames, tables, charts."""
