"""As many shadows as a proxy would send, by a process that is no proxy: `python -m bench.beside PORT`.

Reads lines `RATE SECONDS` from standard input and, for each, hands over so many shadows a second to 127.0.0.1:PORT, in
the steps and by the worker that the addon has, then says `done`. What bare mitmdump loses beside it is lost to the
machine's other work, and not to what the addon does in the proxy.
"""

from __future__ import annotations

import asyncio
import sys

from bench.contenders import ROOT

sys.path.insert(0, str(ROOT / "src"))

from bench.driver import HEADERS
from mirror_addon.dispatch.dispatcher import BATCH_SECONDS
from mirror_addon.dispatch.dispatcher import Dispatcher
from mirror_addon.dispatch.in_flight import InFlight
from mirror_addon.dispatch.in_flight import Primary
from mirror_addon.dispatch.settings import ShadowSettings
from mirror_addon.shadow.request import ShadowRequest
from mirror_addon.shadow.request import Target


async def send(dispatcher: Dispatcher, port: int, rate: float, seconds: float) -> None:
    target = Target("serviceB/v2", "127.0.0.1", port, False, "serviceB", None)
    shadow = ShadowRequest(target, b"GET", b"serviceB-shadow", b"/orders/17?expand=items", HEADERS, 30.0)
    loop = asyncio.get_running_loop()
    begin, sent = loop.time(), 0
    while (passed := loop.time() - begin) < seconds:
        for _ in range(sent, int(rate * passed)):
            primary = Primary(str(sent))
            primary.answered = True
            dispatcher.offer(dispatcher.book.admit(primary, target.label), shadow, b"")
            sent += 1
        dispatcher.flush()
        await asyncio.sleep(BATCH_SECONDS)


async def main(port: int) -> None:
    dispatcher = Dispatcher(ShadowSettings(), InFlight())
    dispatcher.start()
    while order := await asyncio.to_thread(sys.stdin.readline):
        rate, seconds = map(float, order.split())
        await send(dispatcher, port, rate, seconds)
        print("done", flush=True)
    await dispatcher.close(1.0)


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1])))
