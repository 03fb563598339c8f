"""The reality-capture clouds: one account class a service."""
