"""What Prefect's client raises when its server is gone or refuses."""

from prefect.exceptions import PrefectException, PrefectHTTPStatusError

# The client hands the errors of the HTTP library through as they are and has no name for them. Their common
# base stands two steps above Prefect's own class; taken from there, this package needs no HTTP library.
_TRANSPORT: type[Exception] = PrefectHTTPStatusError.__mro__[2]

PREFECT_ERRORS: tuple[type[Exception], ...] = (PrefectException, _TRANSPORT)
"""To be caught where a lost server must not undo what was measured."""
