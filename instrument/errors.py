"""The one family of errors a user may see: a single clear line, never a traceback."""

LONGEST = 1000  # characters of a message; values in it may come from damaged files
_END = 200  # characters kept of the end, which says what to do


class HocketError(Exception):
    """A named failure. Its text states the value, what is allowed and what to do: always one line of bounded length,
    whatever the value."""

    def __init__(self, message: object = "") -> None:
        text = str(message)
        if len(text) > LONGEST:
            text = f"{text[: LONGEST - _END - 3]} … {text[-_END:]}"
        super().__init__("".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text))


def one_line(error: BaseException) -> str:
    """An error that is not a `HocketError` in one line of at most 200 characters: its kind and its text."""
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:200] if text else type(error).__name__
