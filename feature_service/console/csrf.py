"""Forms that change something: only the console's own pages may send them.

A form carries a random token that its reader's cookie holds too: another site can neither read nor set that cookie, and
the browser does not send it along with another site's form. So no secret has to be kept, or shared by replicas.
"""

import hmac
import re
import secrets

from flask import Request, Response

COOKIE = "csrf"
FIELD = "csrf"

_TOKEN = re.compile(r"[\w-]{43}", re.ASCII)


def token_of(request: Request) -> str:
    """The reader's token, a new one if there is none; for the form, and for `remember`."""
    held = request.cookies.get(COOKIE, "")
    return held if _TOKEN.fullmatch(held) else secrets.token_urlsafe(32)


def remember(response: Response, token: str, *, secure: bool) -> None:
    """Has the reader's browser hold the token, out of reach of scripts and of other sites' forms."""
    response.set_cookie(COOKIE, token, httponly=True, samesite="Strict", secure=secure)


def is_ours(request: Request) -> bool:
    """Whether a form comes from one of the console's own pages."""
    if request.headers.get("Sec-Fetch-Site", "same-origin") != "same-origin":
        return False
    held, given = request.cookies.get(COOKIE, ""), request.form.get(FIELD, "")
    return bool(_TOKEN.fullmatch(held)) and hmac.compare_digest(held.encode(), given.encode())
