"""How a shadow is made and sent.

`request.shadow_request` makes it, `dispatcher.Dispatcher` takes it in the proxy's loop, and `worker`, in a process of
its own, sends it. This package imports nothing by itself: the worker wants little, and quickly.
"""
