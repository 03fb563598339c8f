"""DJI FlightHub 2: open modeling (reconstruction of one's own photos), and what is around it."""
