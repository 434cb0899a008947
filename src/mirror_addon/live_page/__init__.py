"""The live page: what is mirrored, what became of it, and how the answers compare, for a browser and for Prometheus.

Served at http://mirror-addon.test/ inside the proxy, and on `mirror_web_port` of 127.0.0.1.
"""
