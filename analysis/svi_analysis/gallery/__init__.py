"""The gallery: small films of suites, base and cure side by side, on one static page."""
