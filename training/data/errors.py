"""The error of the data package.

```
DataError   a log, a shard, a source file or an option is not as it must be; the message is one line for the user
```
"""


class DataError(ValueError):
    """What was asked cannot be done with this data; names the path and the column, key or row."""
