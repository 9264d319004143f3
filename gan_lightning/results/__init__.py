"""What came of many runs: collected, grouped over seeds, written as a table and as a page."""
