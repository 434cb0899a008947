"""The version, in one place: the build, the command line and the metrics read it."""

__version__ = "0.2.0"
