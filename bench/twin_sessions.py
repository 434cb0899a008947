"""Sessions of clients with state: what a client asks depends on what it was answered."""

from __future__ import annotations

import contextlib
import http.client
import json
import random
import re
from collections.abc import Callable
from collections.abc import Iterator
from typing import Any
from typing import NamedTuple


class Answered(NamedTuple):
    """A response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        return json.loads(self.body)


Send = Callable[[str, str, dict[str, str], bytes], Answered]


class Browser:
    """Keeps the cookie and the token, as a browser and its script do. Counts responses of 400 and more."""

    def __init__(self, send: Send) -> None:
        self._send = send
        self._headers: dict[str, str] = {}
        self.refused = 0
        self.requests = 0

    def ask(self, method: str, target: str, data: Any = None, form: str = "", **headers: str) -> Answered:
        body = b""
        fields = self._headers | {name.replace("_", "-"): value for name, value in headers.items()}
        if data is not None:
            body, fields["Content-Type"] = json.dumps(data).encode(), "application/json"
        elif form:
            body, fields["Content-Type"] = form.encode(), "application/x-www-form-urlencoded"
        answer = self._send(method, target, fields, body)
        self.requests += 1
        self.refused += answer.status >= 400
        if cookie := answer.headers.get("set-cookie"):
            self._headers["Cookie"] = f"theme=dark; {cookie.partition(';')[0]}; page=1007"
        return answer


def login(browser: Browser, name: str) -> str:
    """Log in; return the token."""
    token: str = browser.ask("POST", "/login", {"name": name}).data["access_token"]
    browser.ask("GET", "/me")
    browser.ask("GET", "/account", Authorization=f"Bearer {token}")
    return token


def shop(browser: Browser, name: str, luck: random.Random) -> None:
    """Orders, with numbers that are those of other things."""
    products = browser.ask("GET", "/products").data["products"]
    for _ in range(luck.randint(1, 3)):
        product = luck.choice(products)
        browser.ask("GET", f"/products/{product['id']}")
        quantity = luck.choice([1, 2, 1003, 1007, 1008, 1009, 2001])
        order = browser.ask("POST", "/orders", {"product_id": product["id"], "quantity": quantity, "owner": name})
        id, tag = order.data["id"], order.headers["etag"]
        browser.ask("GET", order.headers["location"], Referer="http://shop.test/orders")
        browser.ask("GET", f"/orders?order_id={id}&page=1007&limit={id}")
        browser.ask("GET", f"/orders/{luck.choice([1003, 1004, 1005, 1006])}")
        if luck.random() < 0.5:
            tag = browser.ask(
                "PUT", f"/orders/{id}", {"id": id, "quantity": luck.choice([3, id, 1007])}, If_Match=tag
            ).headers["etag"]
        payment = browser.ask("POST", f"/orders/{id}/payments", {"order_id": id, "amount": 1007}).data["payment_id"]
        browser.ask("GET", f"/orders/{id}/payments/{payment}", Referer=f"http://shop.test/orders/{id}")
        if luck.random() < 0.3:
            browser.ask("DELETE", f"/orders/{id}")


def cart(browser: Browser, luck: random.Random) -> None:
    """A cart whose items are counted in it."""
    products = browser.ask("GET", "/products").data["products"]
    cart_id = browser.ask("GET", "/cart").data["cart_id"]
    items = []
    for _ in range(luck.randint(1, 4)):
        item = {"product_id": luck.choice(products)["id"], "quantity": luck.choice([1, 11, cart_id, 1007])}
        items.append(browser.ask("POST", f"/carts/{cart_id}/items", item).data["id"])
    browser.ask("PATCH", f"/carts/{cart_id}/items/{luck.choice(items)}", {"quantity": luck.choice([1, 2, 12])})
    browser.ask("DELETE", f"/carts/{cart_id}/items/{items[-1]}")


def nested(browser: Browser, name: str) -> None:
    """A user with addresses."""
    user = browser.ask("POST", "/users", {"name": name}).data["id"]
    browser.ask("GET", f"/users/{user}")
    for city in ("Oslo", "Lima"):
        address = browser.ask("POST", f"/users/{user}/addresses", {"city": city}).data["id"]
        browser.ask("GET", f"/users/{user}/addresses/{address}")


def contact(browser: Browser, text: str) -> None:
    """A form with a CSRF token."""
    page = browser.ask("GET", "/contact").body.decode()
    found = re.search(r'value="([^"]+)"', page)
    assert found is not None
    browser.ask("POST", "/contact", form=f"text={text}&csrf_token={found[1]}")


def session(browser: Browser, name: str, luck: random.Random) -> None:
    """All of it, in an order of its own."""
    login(browser, name)
    parts: list[Callable[[], None]] = [
        lambda: shop(browser, name, luck),
        lambda: cart(browser, luck),
        lambda: nested(browser, name),
        lambda: contact(browser, f"from-{name}"),
    ]
    luck.shuffle(parts)
    for part in parts:
        part()


@contextlib.contextmanager
def over_http(port: int, host: str = "shop.test") -> Iterator[Send]:
    """Send over one connection to a port of 127.0.0.1."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)

    def send(method: str, target: str, headers: dict[str, str], body: bytes) -> Answered:
        connection.request(method, target, body or None, {"Host": host, **headers})
        response = connection.getresponse()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answered(response.status, fields, response.read())

    with contextlib.closing(connection):
        yield send
