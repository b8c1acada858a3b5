"""Waiting for a condition, never for a time."""
import time


def until(condition, timeout_s=20, what="the condition", step_s=0.01):
    """Returns the first true value of condition(); raises after timeout_s."""
    end = time.monotonic() + timeout_s
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            raise AssertionError(f"{what} did not come true within {timeout_s} s")
        time.sleep(step_s)
