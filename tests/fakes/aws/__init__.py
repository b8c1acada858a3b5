"""A fault-injecting AWS on the loopback: README.md."""
from tests.fakes.aws.core import Fake

__all__ = ["Fake"]
