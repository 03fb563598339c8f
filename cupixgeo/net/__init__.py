"""Bringing bytes in: sessions that keep secrets, credentials, transfers that survive."""
