"""Laws are judged by what holds, not by how long a busy machine took to draw an example."""

from hypothesis import settings

settings.register_profile("patient", deadline=None)
settings.load_profile("patient")
