"""The comparison of rankers: all of them trained on one split, with what each paper claims put to the test."""
