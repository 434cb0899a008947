"""What the two halves of the shadow engine share: `dispatch`, in the proxy's process, and `worker`, in its own.

`request` and `control` make a shadow's request; `frames` is the protocol between the two processes, in which `Target`
and `subject.Subject` travel too; `result` and `pair` are what the proxy reports about a shadow's end; `gauges` and
`batch` are tools of both. `tls` and `local_address` ask the operating system, everything else is pure.

This module imports nothing: a worker loads only the modules that it uses, so that it starts quickly and stays small.
"""
