"""The verbs of `python -m feature_service`, one file each."""
