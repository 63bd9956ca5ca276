"""The page What if: a user's slate beside the one that other weights, another ranker or version would make."""

import math
import secrets
from collections.abc import Mapping

from flask import g, render_template, request

from feature_service.console.client import ApiError, ConsoleClient
from feature_service.console.comparison import compare, sliders
from feature_service.console.problems import Problem, problem_of, status_of
from feature_service.console.question import Question, QuestionError, read_question, whole_number
from protos.onair.v1 import recommendation_pb2 as pb

WEIGHT = "w."
"""Fields of weights are called so and by their head."""

_VERSIONS = range(2**63)


def show(client: ConsoleClient) -> tuple[str, int]:
    """The form with its sliders, and both slates."""
    question = read_question(request.args)
    if not question.user:
        return _page(question), 200
    try:
        weights, ranker = _weights(request.args), _ranker(request.args.get("ranker", ""))
        # One id: what is left to chance by the request comes out alike in both.
        asked = pb.RecommendRequest(
            user_id=question.user,
            k=question.k_number,
            scene=question.scene,
            request_id=f"console-{secrets.token_hex(8)}",
        )
        now = client.what_if(pb.WhatIfRequest(request=asked))
        wish = pb.WhatIfRequest(request=asked, ranker=ranker[0], ranker_version=ranker[1])
        if weights:
            wish.fusion.weights.update(weights)
        then = client.what_if(wish)
    except QuestionError as error:
        return _page(question, problem=Problem(g.texts("problem.cannot_ask"), str(error))), 400
    except ApiError as error:
        return _page(question, problem=problem_of(error, client.target, g.texts)), status_of(error)
    comparison = compare(now, then)
    parts = {"comparison": comparison, "sliders": sliders(now, then, weights), "rankers": _rankers(client)}
    return _page(question, chosen=request.args.get("ranker", ""), **parts), 200


def _page(question: Question, **parts: object) -> str:
    empty = {"problem": None, "comparison": None, "sliders": (), "rankers": (), "chosen": ""}
    return render_template("what_if.html", question=question, **{**empty, **parts})


def _weights(values: Mapping[str, str]) -> dict[str, float]:
    """The weights by head; none where the form has no sliders yet.

    Raises:
        QuestionError: One is no number.
    """
    weights: dict[str, float] = {}
    for field, text in values.items():
        if field.startswith(WEIGHT):
            weights[field.removeprefix(WEIGHT)] = _number(field, text)
    return weights


def _number(field: str, text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not math.isfinite(number):
        raise QuestionError(f"{field[:40]}: expected a number, received {text[:40]!r}")
    return number


def _ranker(text: str) -> tuple[str, int]:
    """Name and version of a ranker, `name:version`; empty = the scene's own.

    Raises:
        QuestionError: The version is no number.
    """
    name, _, version = text.partition(":")
    return name, whole_number("ranker", version, _VERSIONS) if version else 0


def _rankers(client: ConsoleClient) -> list[tuple[str, int]]:
    """Name and version of every ranker that some model server has loaded; none if that may not be asked."""
    try:
        models = client.versions().models
    except ApiError:
        return []
    return [
        (model.model, version.version)
        for model in models
        if model.ranks
        for version in model.versions
        if "AVAILABLE" in version.states.values()
    ]
