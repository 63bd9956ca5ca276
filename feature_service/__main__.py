"""The feature service's command line."""

import sys

from serving.verbs import Verb, run_verb

VERBS = {
    "serve": Verb("feature_service.commands.serve", "serve RecommendationService over gRPC"),
    "ask": Verb("feature_service.commands.ask", "ask a running service for a user's slate, with reasons"),
    "health": Verb("feature_service.commands.health", "ask a service whether it may be asked"),
    "similar": Verb("feature_service.commands.similar", "ask a running service for streamers like another"),
    "features": Verb("feature_service.commands.features", "print the feature catalogue"),
    "report": Verb("feature_service.commands.report", "report events, JSON lines from standard input"),
    "rebuild": Verb("feature_service.commands.rebuild", "make the store again from the log"),
    "token": Verb("feature_service.commands.token", "make a bearer token, and its entry for the tokens file"),
    "audit": Verb("feature_service.commands.audit", "show who looked at what is known of users"),
    "console": Verb("feature_service.commands.console", "serve the console, web pages that explain answers"),
}

SUMMARY = "OnAir's feature service: turns requests into feature tensors, merges recall and ranking calls."


def main() -> int:
    """Runs a verb."""
    return run_verb("python -m feature_service", SUMMARY, VERBS)


if __name__ == "__main__":
    sys.exit(main())
