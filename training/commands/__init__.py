"""The verbs of the command line, one a file; `training.__main__` lists them."""
