"""Training: from the event log to published SavedModels. Sets TensorFlow up: Keras 2 for TFRS, memory, and words."""

import logging
import os

os.environ.setdefault("TF_USE_LEGACY_KERAS", "1")
# TensorFlow keeps the memory of tensors for the next ones, up to 64 GB. Else large ones go back to the system and come
# anew, page fault by page fault: a third of a step of DIN.
os.environ.setdefault("TF_CPU_ALLOCATOR_USE_BFC", "true")
# Of a worker that is lost TensorFlow has a screenful to say; `training.distribution` says it in a line.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3" if "TF_CONFIG" in os.environ else "2")
# Who trains or asks several models makes the same functions for each, of which TensorFlow warns as of a mistake.
logging.getLogger("tensorflow").setLevel(logging.ERROR)
