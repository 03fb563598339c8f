"""Trials on real services, run only when one is named."""
