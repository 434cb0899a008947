"""A shop with state, in two versions that give their own ids: for `bench.twin` and the tests of `mirror_twin`.

Two shops that were asked the same must hold the same in the end, whatever their ids are: `contents` says what a shop
holds in words that have no ids. Both begin with the same seeded products, orders and users, whose numbers are those
that new things get on the other side.
"""

from __future__ import annotations

import json
import re
import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from dataclasses import field
from http.cookies import SimpleCookie
from http.server import BaseHTTPRequestHandler
from http.server import ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs
from urllib.parse import urlsplit

Response = tuple[int, list[tuple[str, str]], bytes]
Raw = tuple[str, str, tuple[tuple[str, str], ...], bytes]
"""Method, target, header fields in the order of their names, and body of a request."""


@dataclass
class Style:
    """How a version makes its ids."""

    name: str
    orders: int
    """The first number of a new order."""
    carts: int
    users: int
    items: int
    """The first number of an item, in each cart anew."""
    uuids: bool = False
    """Products, addresses and payments have UUIDs; else numbers."""


V1 = Style("v1", 1007, 50, 300, 1)
V2 = Style("v2", 2001, 1007, 900, 11)
V2_UUIDS = Style("v2", 1009, 51, 300, 1, uuids=True)
"""Its orders' numbers are those that v1 gives two orders later."""

PRODUCTS = 12
SEEDED = range(1003, 1007)
"""Orders that both have from the start."""


@dataclass
class Order:
    """An order."""

    owner: str
    product: str
    quantity: int
    state: str = "open"
    version: int = 1
    payments: list[str] = field(default_factory=list)


class Shop:
    """One version. `respond` is called by any thread."""

    def __init__(self, style: Style) -> None:
        self.style = style
        self.requests: list[tuple[str, str, str]] = []
        """Method, target and status."""
        self._lock = threading.Lock()
        self._orders = {number: Order("seed", f"sku-{number % PRODUCTS}", 1) for number in SEEDED}
        self._products = {self._product_id(number): f"sku-{number}" for number in range(PRODUCTS)}
        self._sessions: dict[str, str] = {}
        self._tokens: dict[str, str] = {}
        self._csrf: dict[str, str] = {}
        self._carts: dict[int, dict[str, Any]] = {}
        self._addresses: dict[str, tuple[str, str]] = {}
        self._users: dict[str, int] = {}
        self._messages: list[tuple[str, str]] = []
        self._next = {"order": style.orders, "cart": style.carts, "user": style.users}

    def _count(self, what: str) -> int:
        self._next[what] += 1
        return self._next[what] - 1

    def _product_id(self, number: int) -> str:
        name = f"{self.style.name}/product/{number}"
        return str(uuid.uuid5(uuid.NAMESPACE_URL, name)) if self.style.uuids else str(1000 + number)

    def _id(self, text: str) -> Any:
        return text if self.style.uuids else int(text)

    def _secret(self) -> str:
        return f"{self.style.name}-{uuid.uuid4().hex}"

    def contents(self) -> dict[str, Any]:
        """What the shop holds, without ids."""
        with self._lock:
            return {
                "orders": sorted(
                    (each.owner, each.product, each.quantity, each.state, each.version, len(each.payments))
                    for each in self._orders.values()
                ),
                "carts": sorted(
                    (each["owner"], tuple(sorted(each["items"].values()))) for each in self._carts.values()
                ),
                "addresses": sorted(self._addresses.values()),
                "users": sorted(self._users),
                "messages": sorted(self._messages),
            }

    def respond(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Response:
        """The response to a request; `headers` with names in lower case."""
        with self._lock:
            response = self._respond(method, target, headers, body)
            self.requests.append((method, target, str(response[0])))
            return response

    def _respond(self, method: str, target: str, headers: dict[str, str], body: bytes) -> Response:
        parts = urlsplit(target)
        steps = [step for step in parts.path.split("/") if step]
        route = getattr(
            self, f"_{method.lower()}_{'_'.join(re.sub(r'[^a-z]', '', step) or 'x' for step in steps)}", None
        )
        cookies = {name: morsel.value for name, morsel in SimpleCookie(headers.get("cookie", "")).items()}
        user = self._sessions.get(cookies.get("sid", ""), "")
        token = self._tokens.get(headers.get("authorization", "").removeprefix("Bearer "), "")
        kind = headers.get("content-type", "")
        data: Any = {}
        if "json" in kind:
            data = json.loads(body)
        elif "form" in kind:
            data = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        handler: Callable[..., Response] = route or self._by_pattern(method, steps)
        try:
            return handler(Asked(steps, query, headers, data, user, token))
        except (KeyError, ValueError, IndexError, TypeError, StopIteration):
            return _json(404, {"error": "not found"})

    def _by_pattern(self, method: str, steps: list[str]) -> Callable[..., Response]:
        names = [step if index % 2 == 0 else "x" for index, step in enumerate(steps)]
        name = f"_{method.lower()}_{'_'.join(names)}"
        return getattr(self, name, lambda asked: _json(404, {"error": "no such page"}))

    # Login

    def _post_users(self, asked: Asked) -> Response:
        number = self._count("user")
        self._users[asked.data["name"]] = number
        return _json(201, {"id": number, "name": asked.data["name"]}, ("Location", f"/users/{number}"))

    def _get_users_x(self, asked: Asked) -> Response:
        name = next(name for name, number in self._users.items() if number == int(asked.steps[1]))
        return _json(200, {"id": int(asked.steps[1]), "name": name})

    def _post_login(self, asked: Asked) -> Response:
        session, token = self._secret(), self._secret()
        self._sessions[session] = self._tokens[token] = asked.data["name"]
        cookie = ("Set-Cookie", f"sid={session}; Path=/; HttpOnly")
        return _json(200, {"access_token": token, "user": asked.data["name"]}, cookie)

    def _get_me(self, asked: Asked) -> Response:
        if not asked.user:
            return _json(401, {"error": "log in"})
        return _json(200, {"user": asked.user})

    def _get_account(self, asked: Asked) -> Response:
        return _json(200, {"user": asked.token}) if asked.token else _json(401, {"error": "log in"})

    def _get_contact(self, asked: Asked) -> Response:
        if not asked.user:
            return _json(401, {"error": "log in"})
        self._csrf[asked.user] = secret = self._secret()
        page = f'<html><form method=post><input type="hidden" name="csrf_token" value="{secret}"></form></html>'
        return 200, [("Content-Type", "text/html")], page.encode()

    def _post_contact(self, asked: Asked) -> Response:
        if not asked.user or self._csrf.get(asked.user) != asked.data["csrf_token"]:
            return _json(403, {"error": "wrong token"})
        self._messages.append((asked.user, asked.data["text"]))
        return 303, [("Location", "/me")], b""

    # Products

    def _get_products(self, asked: Asked) -> Response:
        products = [{"id": self._id(id), "sku": sku, "price": 1007} for id, sku in self._products.items()]
        return _json(200, {"products": products, "total": PRODUCTS})

    def _get_products_x(self, asked: Asked) -> Response:
        return _json(200, {"id": self._id(asked.steps[1]), "sku": self._products[asked.steps[1]]})

    # Orders

    def _post_orders(self, asked: Asked) -> Response:
        number = self._count("order")
        product = self._products[str(asked.data["product_id"])]
        self._orders[number] = order = Order(asked.data["owner"], product, asked.data["quantity"])
        return self._order(201, number, order, ("Location", f"/orders/{number}"))

    def _order(self, status: int, number: int, order: Order, *headers: tuple[str, str]) -> Response:
        document = {
            "id": number,
            "owner": order.owner,
            "sku": order.product,
            "quantity": order.quantity,
            "state": order.state,
            "message": f"Order #{number} is {order.state}",
            "links": {"self": f"/orders/{number}", "pay": f"/orders/{number}/payments"},
        }
        tag = f'"{self.style.name}-{order.version}"'
        return _json(status, document, ("ETag", tag), *headers)

    def _get_orders_x(self, asked: Asked) -> Response:
        number = int(asked.steps[1])
        return self._order(200, number, self._orders[number])

    def _get_orders(self, asked: Asked) -> Response:
        if "order_id" in asked.query:
            found = [(int(asked.query["order_id"]), self._orders[int(asked.query["order_id"])])]
        else:
            found = [each for each in self._orders.items() if each[1].owner == asked.query.get("owner")]
        orders = [{"id": number, "sku": order.product, "quantity": order.quantity} for number, order in found]
        return _json(200, {"orders": orders, "page": int(asked.query.get("page", "1")), "limit": 1007})

    def _put_orders_x(self, asked: Asked) -> Response:
        number = int(asked.steps[1])
        order = self._orders[number]
        if asked.headers.get("if-match") != f'"{self.style.name}-{order.version}"':
            return _json(412, {"error": "changed meanwhile"})
        if asked.data["id"] != number:
            return _json(400, {"error": "another order"})
        order.quantity, order.version = asked.data["quantity"], order.version + 1
        return self._order(200, number, order)

    def _delete_orders_x(self, asked: Asked) -> Response:
        del self._orders[int(asked.steps[1])]
        return 204, [], b""

    def _post_orders_x_payments(self, asked: Asked) -> Response:
        order = self._orders[int(asked.steps[1])]
        payment = str(uuid.uuid4()) if self.style.uuids else str(7000 + len(order.payments))
        order.payments.append(payment)
        order.state = "paid"
        return _json(201, {"payment_id": self._id(payment), "order_id": int(asked.steps[1]), "amount": 1007})

    def _get_orders_x_payments_x(self, asked: Asked) -> Response:
        if asked.steps[3] not in self._orders[int(asked.steps[1])].payments:
            raise KeyError(asked.steps[3])
        return _json(200, {"payment_id": self._id(asked.steps[3]), "order_id": int(asked.steps[1])})

    # Carts, whose items are counted in each cart

    def _get_cart(self, asked: Asked) -> Response:
        if not asked.user:
            return _json(401, {"error": "log in"})
        found = [number for number, cart in self._carts.items() if cart["owner"] == asked.user]
        if not found:
            found = [self._count("cart")]
            self._carts[found[0]] = {"owner": asked.user, "items": {}, "next": self.style.items}
        return _json(200, {"cart_id": found[0], "owner": asked.user})

    def _post_carts_x_items(self, asked: Asked) -> Response:
        cart = self._carts[int(asked.steps[1])]
        number, cart["next"] = cart["next"], cart["next"] + 1
        cart["items"][number] = (self._products[str(asked.data["product_id"])], asked.data["quantity"])
        return _json(201, {"id": number, "quantity": asked.data["quantity"]})

    def _patch_carts_x_items_x(self, asked: Asked) -> Response:
        items, number = self._carts[int(asked.steps[1])]["items"], int(asked.steps[3])
        items[number] = (items[number][0], asked.data["quantity"])
        return _json(200, {"id": number, "quantity": asked.data["quantity"]})

    def _delete_carts_x_items_x(self, asked: Asked) -> Response:
        del self._carts[int(asked.steps[1])]["items"][int(asked.steps[3])]
        return 204, [], b""

    # Addresses of a user

    def _post_users_x_addresses(self, asked: Asked) -> Response:
        user = next(name for name, number in self._users.items() if number == int(asked.steps[1]))
        count = sum(owner == user for owner, _ in self._addresses.values())
        address = str(uuid.uuid4()) if self.style.uuids else f"{user}-{count}"
        self._addresses[address] = user, asked.data["city"]
        return _json(201, {"id": address, "city": asked.data["city"], "user_id": int(asked.steps[1])})

    def _get_users_x_addresses_x(self, asked: Asked) -> Response:
        return _json(200, {"id": asked.steps[3], "city": self._addresses[asked.steps[3]][1]})


@dataclass
class Asked:
    """A request as the handlers take it."""

    steps: list[str]
    query: dict[str, str]
    headers: dict[str, str]
    data: Any
    user: str
    token: str


def _json(status: int, document: Any, *headers: tuple[str, str]) -> Response:
    return status, [("Content-Type", "application/json"), *headers], json.dumps(document).encode()


def raw(method: str, target: str, headers: dict[str, str], body: bytes) -> Raw:
    """A request as it is compared: without Accept-Encoding, which Python's client adds."""
    fields = {name.lower(): value for name, value in headers.items()}
    fields.pop("accept-encoding", None)
    fields.pop("content-length", None)
    return method, target, tuple(sorted(fields.items())), body


class Server:
    """A shop that listens on a free port of 127.0.0.1. `delay` returns seconds to wait before each response.

    `raw`: all requests, as they came.
    """

    def __init__(self, shop: Shop, delay: Callable[[str, str], float] = lambda method, target: 0.0) -> None:
        self.shop = shop
        self.raw: list[Raw] = []
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def _handle(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
                server.raw.append(raw(self.command, self.path, dict(self.headers.items()), body))
                headers = {name.lower(): value for name, value in self.headers.items()}
                time.sleep(delay(self.command, self.path))
                status, fields, content = shop.respond(self.command, self.path, headers, body)
                self.send_response_only(status)
                for name, value in fields:
                    self.send_header(name, value)
                if status != 204:
                    self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = _handle

            def log_message(self, format: str, *args: object) -> None:
                pass

        class Quiet(ThreadingHTTPServer):
            def handle_error(self, request: Any, client_address: Any) -> None:
                """A connection was closed before its response: by a timeout, or by the end of the proxy."""

        self._server = Quiet(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self) -> Server:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
