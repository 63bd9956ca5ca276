"""The page Explain: the slate of a user, and how it came about."""

from flask import g, render_template, request

from feature_service.console.client import ApiError, ConsoleClient
from feature_service.console.page import lay_out
from feature_service.console.problems import Problem, problem_of, status_of
from feature_service.console.question import Question, QuestionError, read_question


def show(client: ConsoleClient) -> tuple[str, int]:
    """The form, and the answer to what stands in it."""
    question = read_question(request.args)
    if not question.user:
        return _page(question), 200
    try:
        response = client.explain(question.user, question.k_number, question.scene)
    except QuestionError as error:
        return _page(question, problem=Problem(g.texts("problem.cannot_ask"), str(error))), 400
    except ApiError as error:
        return _page(question, problem=problem_of(error, client.target, g.texts)), status_of(error)
    return _page(question, explanation=lay_out(response)), 200


def _page(question: Question, **parts: object) -> str:
    return render_template("explain.html", question=question, **{"problem": None, "explanation": None, **parts})
