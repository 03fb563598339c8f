"""Altizure: photogrammetry from photos, over its GraphQL API."""
