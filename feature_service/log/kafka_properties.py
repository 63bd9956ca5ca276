"""Files of Kafka clients' properties, which a platform brings: TLS, users and passwords."""

from pathlib import Path


def read_properties(path: str | Path, named: str) -> dict[str, str]:
    """Reads a `name=value` a line; empty lines and those that begin with `#` say nothing.

    Args:
        path: The file.
        named: What has named it, for errors, which quote no value.

    Raises:
        ValueError: It cannot be read, or a line is something else.
    """
    try:
        lines = [line.strip() for line in Path(path).read_text(encoding="utf-8").splitlines()]
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"{named}: expected a readable file: {error}") from None
    given = [line.partition("=") for line in lines if line and not line.startswith("#")]
    if any(not separator for _, separator, _ in given):
        raise ValueError(f"{named}: expected a name=value in each line of {path}")
    return {name.strip(): value.strip() for name, _, value in given}
