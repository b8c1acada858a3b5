"""The harness of the Python tests: a server under test, a raw HTTP client, a reader of the lake, TAP."""
