"""One self-contained HTML page of a result: no network, no other files."""
