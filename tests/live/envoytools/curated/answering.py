"""Requests that the proxy answers itself (semantics 1.7, 1.9, 1.10)."""

from __future__ import annotations

from envoytools.curated.cases import Case
from envoytools.curated.cases import get
from envoytools.curated.cases import to_v1
from envoytools.curated.cases import virtual_service
from envoytools.outcome import Sent

LOCAL = [
    *(
        Case(
            f"redirect {redirect}",
            virtual_service(
                f"- match: [{{uri: {{prefix: /old}}}}]\n  redirect: {redirect}\n  mirror: {{host: m1}}\n"
                "  headers: {response: {set: {x-r: '1'}, add: {content-type: own}}}"
            ),
            (
                *get("/old", "/old/x?q=1", "/older", "/new"),
                Sent(path="/old/y", host="a.test:8080"),
                Sent(path="/old/y", host="a.test:80"),
                Sent(path="/old/y", host="a.test:443"),
                Sent("POST", "/old/y", body=b"abc"),
                Sent("HEAD", "/old/y"),
            ),
        )
        for redirect in (
            "{uri: /new}",
            "{uri: '/new?own=1'}",
            "{authority: b.test}",
            "{authority: 'b.test:81', uri: /new}",
            "{prefixRewrite: /new}",
            "{prefixRewrite: /}",
            "{scheme: https}",
            "{scheme: https, authority: b.test, uri: /s}",
            "{scheme: http}",
            "{port: 8443, scheme: https}",
            "{port: 81}",
            "{port: 80}",
            "{port: 443, scheme: https}",
            "{port: 80, scheme: https}",
            "{derivePort: FROM_PROTOCOL_DEFAULT, authority: b.test}",
            "{uri: /new, redirectCode: 302}",
            "{uri: /new, redirectCode: 303}",
            "{uri: /new, redirectCode: 307}",
            "{uri: /new, redirectCode: 308}",
        )
    ),
    Case("redirect without prefix", virtual_service("- redirect: {prefixRewrite: /new}"), get("/", "/x?q")),
    *(
        Case(
            f"direct response {response}",
            virtual_service(
                f"- directResponse: {response}\n  mirror: {{host: m1}}\n"
                "  headers: {response: {set: {x-r: '1'}, add: {content-type: own}}}"
            ),
            (*get("/", "/x?q"), Sent("POST", body=b"abc"), Sent("HEAD"), *get("/", content_type="application/grpc")),
        )
        for response in (
            "{status: 200}",
            "{status: 200, body: {string: hello}}",
            "{status: 503, body: {string: '100% é'}}",
            "{status: 404, body: {bytes: '/wCAgQ=='}}",
            "{status: 201}",
            "{status: 204}",
            "{status: 302, body: {string: moved}}",
            "{status: 304}",
        )
    ),
    Case(
        "direct response without header operations",
        virtual_service("- directResponse: {status: 418, body: {string: teapot}}"),
        (*get("/"), *get("/", content_type="application/grpc+proto")),
    ),
    *(
        Case(
            f"fault {fault}",
            to_v1(f"fault: {fault}"),
            (Sent(), Sent("HEAD"), Sent("POST", body=b"abc"), *get("/", content_type="application/grpc")),
        )
        for fault in (
            "{abort: {httpStatus: 503, percentage: {value: 100}}}",
            "{abort: {httpStatus: 418, percentage: {value: 100}}}",
            "{abort: {httpStatus: 200, percentage: {value: 100}}}",
            "{abort: {grpcStatus: UNAVAILABLE, percentage: {value: 100}}}",
            "{abort: {grpcStatus: OK, percentage: {value: 100}}}",
            "{abort: {httpStatus: 503}}",
            "{abort: {httpStatus: 503, percentage: {value: 0}}}",
            "{delay: {fixedDelay: 10ms, percentage: {value: 100}}}",
            "{delay: {fixedDelay: 10ms, percentage: {value: 100}}, abort: {httpStatus: 400, percentage: {value: 100}}}",
        )
    ),
    *(
        Case(
            f"response operations on an abort, {weights}",
            virtual_service(f"""
- fault: {{abort: {{httpStatus: 418, percentage: {{value: 100}}}}}}
  headers: {{response: {{set: {{x-r: route}}, add: {{x-a: route, content-type: route}}}}}}
  corsPolicy: {{allowOrigins: [{{exact: 'http://o'}}], exposeHeaders: [x-e]}}
  route:
  - destination: {{host: v1}}
    weight: {weights[0]}
    headers: {{response: {{set: {{x-r: dest}}, add: {{x-a: dest}}}}}}
  - destination: {{host: v2}}
    weight: {weights[1]}
    headers: {{response: {{set: {{x-r: dest}}, add: {{x-a: dest}}}}}}
"""),
            (*get("/"), *get("/", origin="http://o"), *get("/", content_type="application/grpc")),
        )
        for weights in ((1, 0), (1, 1))
    ),
    Case(
        "response operations on a preflight",
        virtual_service("""
- headers: {response: {set: {x-r: route}, add: {x-a: route, access-control-allow-methods: route}}}
  corsPolicy: {allowOrigins: [{exact: 'http://o'}], allowMethods: [GET]}
  route: [{destination: {host: v1}, headers: {response: {set: {x-d: dest}}}}]
"""),
        tuple(
            Sent("OPTIONS", headers=(("origin", "http://o"), ("access-control-request-method", "GET"), *more))
            for more in ((), (("content-type", "application/grpc"),))
        ),
    ),
    Case(
        "a direct response knows no CORS",
        virtual_service("""
- directResponse: {status: 200}
  headers: {response: {set: {x-r: '1'}}}
  corsPolicy: {allowOrigins: [{exact: 'http://o'}]}
"""),
        get("/", "/x", origin="http://o"),
    ),
    Case(
        "not found",
        virtual_service("- match: [{uri: {exact: /x}}]\n  route: [{destination: {host: v1}}]"),
        (
            *get("/", "/x", "/y"),
            *get("/", content_type="application/grpc"),
            Sent("HEAD"),
            Sent("OPTIONS", "*"),
        ),
    ),
]
_ORIGINS = (
    (),
    (("origin", "http://a"),),
    (("origin", "http://b"),),
    (("Origin", "http://sub.a"),),
    (("origin", ""),),
    (("origin", "null"),),
)
CORS = [
    Case(
        f"cors {policy}",
        to_v1(f"corsPolicy: {policy}"),
        tuple(
            Sent(method, headers=(*origin, *asked))
            for method in ("GET", "OPTIONS")
            for origin in _ORIGINS
            for asked in (
                (),
                (("access-control-request-method", "PUT"),),
                (("access-control-request-method", "GET"), ("access-control-request-headers", "x-a, x-b")),
            )
        ),
    )
    for policy in (
        "{allowOrigins: [{exact: 'http://a'}]}",
        "{allowOrigins: [{prefix: 'http://'}], allowMethods: [GET, PUT], allowHeaders: [x-a, x-b], maxAge: 24h}",
        "{allowOrigins: [{regex: 'http://(sub\\.)?a'}], allowMethods: ['*'], allowHeaders: ['*'],"
        " exposeHeaders: [x-e, x-f]}",
        "{allowOrigins: [{exact: '*'}], allowCredentials: true, exposeHeaders: ['*']}",
        "{allowOrigin: ['http://a', 'http://b'], allowCredentials: false, maxAge: 90s}",
        "{allowOrigins: [{exact: 'http://a'}], unmatchedPreflights: IGNORE, allowMethods: ['*'], allowHeaders: [x-a],"
        " maxAge: 1h, exposeHeaders: [x-e], allowCredentials: true}",
        "{allowOrigins: [{exact: 'http://a'}], unmatchedPreflights: FORWARD, allowHeaders: [x-a]}",
        "{allowMethods: [GET]}",
    )
]
UNAVAILABLE = Case(
    "no endpoint",
    virtual_service("""
- match: [{uri: {prefix: /1}}]
  headers: {response: {set: {x-r: route}, add: {x-a: route}}}
  route: [{destination: {host: nowhere}, headers: {response: {add: {x-a: dest}}}}]
  mirror: {host: m1}
- match: [{uri: {prefix: /2}}]
  headers: {response: {set: {x-r: route}, add: {x-a: route}}}
  corsPolicy: {allowOrigins: [{exact: 'http://o'}], exposeHeaders: [x-e]}
  route:
  - {destination: {host: nowhere}, weight: 1, headers: {response: {add: {x-a: dest}}}}
  - {destination: {host: elsewhere, subset: v1}, weight: 1, headers: {response: {add: {x-a: dest}}}}
"""),
    (*get("/1", "/2"), *get("/1", "/2", origin="http://o"), Sent("POST", "/1", body=b"abc")),
    draws=(0, 1),
)
