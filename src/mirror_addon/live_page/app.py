"""The Flask app: the page, its parts that are loaded again and again, its buttons, `/metrics`, `/api/status.json`."""

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

from mirror_addon.live_page import access
from mirror_addon.live_page.metrics import exposed
from mirror_addon.live_page.state import CommandRefused
from mirror_addon.live_page.state import Source
from mirror_addon.live_page.view import View
from mirror_addon.live_page.view import ViewMaker
from mirror_addon.statistics import formats

MAX_FORM = 16 * 1024


def create_app(source: Source) -> Flask:
    """The app over `source`. Its forms carry a token of its own, so pages from before a restart cannot steer it."""
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = MAX_FORM
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters.update(formats.FILTERS)
    token = secrets.token_urlsafe(24)
    views = ViewMaker()

    @app.before_request
    def guard() -> Response | None:
        refused = access.refusal(request, token)
        return plain(refused, 403) if refused else None

    @app.after_request
    def harden(response: Response) -> Response:
        for name, value in access.HEADERS.items():
            response.headers[name] = value
        return response

    @app.errorhandler(HTTPException)
    def failed(error: HTTPException) -> Response:
        return plain(f"{error.code} {error.name}\n", error.code or 500)

    def view() -> View:
        return views.view(source.state())

    @app.get("/")
    def page() -> str:
        if request.headers.get("Sec-Fetch-Dest", "document") == "document":
            source.opened()
        return render_template("page.html", view=view(), token=token)

    @app.get("/parts")
    def parts() -> str:
        return render_template("parts.html", view=view(), token=token)

    @app.get("/api/status.json")
    def status() -> Response:
        return jsonify(view().as_dict())

    @app.get("/metrics")
    def metrics() -> Response:
        body, content_type = exposed(source.state(), request.headers.get("Accept", ""))
        response = make_response(body)
        response.headers["Content-Type"] = content_type
        return response

    def done(name: str, *arguments: str) -> Any:
        """A button's outcome: text for the page's script, the page again for a browser without one."""
        try:
            said, code = source.command(name, *arguments), 200
        except CommandRefused as error:
            said, code = str(error), 400
        if request.headers.get("Accept", "").startswith("text/plain") or code != 200:
            return plain(f"{said}\n", code)
        return redirect("/", 303)

    @app.post("/pause")
    def pause() -> Any:
        return done("pause", *rule())

    @app.post("/resume")
    def resume() -> Any:
        return done("resume", *rule())

    @app.post("/percent")
    def percent() -> Any:
        return done("percent", request.form.get("rule", ""), request.form.get("percent", ""))

    def rule() -> list[str]:
        """The rule that a button is for, if it is not for all."""
        return [name] if (name := request.form.get("rule", "")) else []

    return app


def plain(text: str, status: int) -> Response:
    return Response(text, status, content_type="text/plain; charset=utf-8")
