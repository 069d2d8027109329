"""The one family of errors a user may see: a single clear line, never a traceback."""


class HocketError(Exception):
    """A named failure. Its text states the value, what is allowed and what to do."""
