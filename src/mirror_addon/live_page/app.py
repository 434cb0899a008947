"""The Flask app: the page, the parts of it that its script reloads, its buttons, `/metrics` and `/api/status.json`."""

from __future__ import annotations

import secrets
from typing import Any

from flask import Flask
from flask import Response
from flask import jsonify
from flask import make_response
from flask import redirect
from flask import render_template
from flask import request
from werkzeug.exceptions import HTTPException

from mirror_addon.display.pages import shown
from mirror_addon.live_page import access
from mirror_addon.live_page import rows
from mirror_addon.live_page.metrics import exposed
from mirror_addon.live_page.state import CommandRefused
from mirror_addon.live_page.state import Source
from mirror_addon.live_page.view import View
from mirror_addon.live_page.view import ViewMaker
from mirror_addon.statistics import formats

MAX_FORM = 16 * 1024
"""Bytes."""


def create_app(source: Source) -> Flask:
    """Return the app that shows the state of `source` and runs its commands."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_FORM
    app.jinja_env.finalize = shown
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(formats.FILTERS | rows.FILTERS)
    pages = Pages(source)
    app.before_request(pages.refuse)
    app.after_request(_add_headers)
    app.register_error_handler(HTTPException, _http_error)
    app.get("/")(pages.page)
    app.get("/parts")(pages.parts)
    app.get("/api/status.json")(pages.status)
    app.get("/metrics")(pages.metrics)
    app.post("/compare")(pages.compare)
    app.post("/pause")(pages.pause)
    app.post("/resume")(pages.resume)
    app.post("/percent")(pages.percent)
    app.post("/accept")(pages.accept)
    app.post("/ignore")(pages.ignore)
    return app


class Pages:
    """The view functions. Forms carry a token of this object, so a page of an earlier run cannot steer the proxy."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._token = secrets.token_urlsafe(24)
        self._views = ViewMaker()

    def refuse(self) -> Response | None:
        """Return the response to a request that is not served, before any view function."""
        refused = access.refusal(request, self._token)
        return _plain(refused, 403) if refused else None

    def page(self) -> str:
        return self._render("page.html")

    def parts(self) -> str:
        return self._render("parts.html")

    def status(self) -> Response:
        return jsonify(self._view().as_dict())

    def metrics(self) -> Response:
        body, content_type = exposed(self._source.state(), request.headers.get("Accept", ""))
        response = make_response(body)
        response.headers["Content-Type"] = content_type
        return response

    def compare(self) -> Any:
        """The page is open in a browser: its script, and without scripts its button, sends this form.

        Not `page`, because any web page can have a browser fetch it, as an image for example.
        """
        self._source.opened()
        return Response(status=204) if _is_script() else redirect("/", 303)

    def pause(self) -> Any:
        return self._run("pause", *_rule())

    def resume(self) -> Any:
        return self._run("resume", *_rule())

    def percent(self) -> Any:
        return self._run("percent", request.form.get("rule", ""), request.form.get("percent", ""))

    def accept(self) -> Any:
        return self._run("accept", *_finding())

    def ignore(self) -> Any:
        return self._run("ignore", *_finding())

    def _run(self, name: str, *arguments: str) -> Any:
        """Run a button's command. Return its text for the page's script, else redirect to the page."""
        try:
            text, code = self._source.command(name, *arguments), 200
        except CommandRefused as error:
            text, code = str(error), 400
        if _is_script() or code != 200:
            return _plain(f"{text}\n", code)
        return redirect("/", 303)

    def _render(self, template: str) -> str:
        return render_template(template, view=self._view(), token=self._token)

    def _view(self) -> View:
        return self._views.view(self._source.state())


def _is_script() -> bool:
    """Whether the page's script sent the form, which shows the text itself."""
    return request.headers.get("Accept", "").startswith("text/plain")


def _rule() -> list[str]:
    """Return the rule that a button is for; nothing if it is for all."""
    return [name] if (name := request.form.get("rule", "")) else []


def _finding() -> list[str]:
    """Return the finding that a button is for, and what else it says."""
    action = request.form.get("action", "")
    return [request.form.get("finding", ""), *([action] if action else [])]


def _add_headers(response: Response) -> Response:
    for name, value in access.HEADERS.items():
        response.headers[name] = value
    return response


def _http_error(error: HTTPException) -> Response:
    return _plain(f"{error.code} {error.name}\n", error.code or 500)


def _plain(text: str, status: int) -> Response:
    return Response(text, status, content_type="text/plain; charset=utf-8")
