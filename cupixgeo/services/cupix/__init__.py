"""CupixWorks: site scans and 360° captures, over its REST API, version 1."""
