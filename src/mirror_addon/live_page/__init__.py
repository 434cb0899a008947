"""The live page: what is mirrored, what became of it and how the responses differ, for browsers and for Prometheus.

Theory of operation. The page is served at http://mirror-addon.test/ inside the proxy and, with `mirror_web_port`, on a
port of 127.0.0.1. It is a Flask app, which blocks, so it never runs in the event loop:

- `page` is what the addon holds. It creates the rest when the page is first requested, so the page costs nothing
  before.
- `magic_host` and `port` are the two servers: mitmproxy's ASGI adapter and tornado's HTTP server. Each calls the app in
  a thread. `lazy_app` creates the app for the first request, and passes it one request at a time.
- `app` has the views. They see the session through `state`: the methods of a `Source` run briefly in the event loop,
  while the thread waits. `State` is a copy, so rendering needs no lock.
- `access` refuses requests from other machines, under other names, and from other web pages. `origin` says which
  machine asks where the proxy itself made the connection to the page.
- `view` derives from a state what the templates and `/api/status.json` show, with `plots` (SVG) and `why_nothing`
  (sentences); `metrics` derives `/metrics`.

The templates escape everything but the plots, and the Content-Security-Policy allows neither inline scripts nor styles.
"""
