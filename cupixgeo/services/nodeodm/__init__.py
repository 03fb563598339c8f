"""NodeODM: OpenDroneMap on a machine of one's own, over its HTTP API."""
