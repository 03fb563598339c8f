"""A reconstruction service that exists only in tests, and an account that talks to it."""
