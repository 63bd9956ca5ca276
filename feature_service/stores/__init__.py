"""The stores: a checkpoint of records and facts beside the log, so that a restart reads little of it again."""
