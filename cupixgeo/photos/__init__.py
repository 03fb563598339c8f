"""Photos before they are sent: what they say about themselves, and whether they are good enough."""
