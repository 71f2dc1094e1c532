"""A server with known behaviour: the reference weight of the instrument."""
