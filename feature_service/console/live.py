"""The page Live: the rooms on air, which follow by server-sent events."""

from dataclasses import dataclass

from flask import Response, abort, g, render_template, request, stream_with_context
from werkzeug.datastructures import MultiDict

from feature_service.console.charts import HEIGHT, WIDTH, line
from feature_service.console.client import ApiError, ConsoleClient
from feature_service.console.problems import problem_of
from feature_service.console.streams import Streams
from protos.onair.v1 import recommendation_pb2 as pb

PAGE = 50
ORDERS = {"hottest": pb.HOTTEST_FIRST, "fullest": pb.MOST_VIEWERS_FIRST, "newest": pb.NEWEST_FIRST}
LAST_PAGE = 100_000


@dataclass(frozen=True, slots=True)
class Part:
    """The part of the list that is shown.

    Attributes:
        order: One of `ORDERS`.
        page: 0-based.
        newcomers_only: Whether the list holds newcomers alone.
    """

    order: str
    page: int
    newcomers_only: bool

    def request(self) -> pb.ListLiveRoomsRequest:
        """The question for it."""
        offset = self.page * PAGE
        return pb.ListLiveRoomsRequest(
            order=ORDERS[self.order], offset=offset, limit=PAGE, newcomers_only=self.newcomers_only
        )

    def query(self, page: int) -> dict[str, str]:
        """The same list's part of another page, as a query."""
        newcomers = {"newcomers": "1"} if self.newcomers_only else {}
        return {"order": self.order, "page": str(page), **newcomers}


def show(client: ConsoleClient) -> str:
    """The page."""
    part = _part(request.args)
    return render_template("live.html", orders=ORDERS, **_rooms(client, part))


def events(client: ConsoleClient, streams: Streams) -> Response:
    """The rooms again and again, as HTML; what is wrong instead, if something is."""
    part = _part(request.args)

    def tell() -> str:
        try:
            return render_template("live_rooms.html", **_rooms(client, part))
        except ApiError as error:
            return render_template("problem_box.html", problem=problem_of(error, client.target, g.texts))

    stream = streams.opened(tell)
    if stream is None:
        abort(503, "too many pages follow the live rooms at once; this one is as of now")
    response = Response(stream_with_context(stream), mimetype="text/event-stream")
    response.call_on_close(stream.close)
    return response


def _rooms(client: ConsoleClient, part: Part) -> dict[str, object]:
    """What both the page and its updates show."""
    response = client.live(part.request())
    trends = [line(room.heat_series) for room in response.rooms]
    rooms = list(zip(response.rooms, trends, strict=True))
    return {"live": response, "rooms": rooms, "part": part, "first": part.page * PAGE, "width": WIDTH, "height": HEIGHT}


def _part(values: MultiDict[str, str]) -> Part:
    order = values.get("order", "")
    page = values.get("page", "0")
    number = min(int(page), LAST_PAGE) if page.isascii() and page.isdigit() and len(page) < 10 else 0
    return Part(order if order in ORDERS else next(iter(ORDERS)), number, values.get("newcomers") == "1")
