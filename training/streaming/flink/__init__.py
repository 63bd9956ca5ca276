"""The join as a Flink job: hours of samples, and records, from a log that is too large for one process.

What runs in Flink is in `operators` and `job`, the only files that need PyFlink; the others are plain.
"""
