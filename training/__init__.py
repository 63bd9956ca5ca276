"""Training: from the event log to published SavedModels. Selects Keras 2, which TensorFlow Recommenders needs."""

import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
