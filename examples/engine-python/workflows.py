"""The workflows: a function each."""

import gateway_engine


def greet(request):
    """Reads its input and what happened."""
    name = (request.input or {}).get("name", "world")
    return f"hello {name}, thank you for {request.event.type}"


def nap(request):
    """Takes long, and stops at once when it is told to."""
    request.progress("sleeping", "for two minutes", 0)
    if request.stopped.wait(120):
        raise gateway_engine.Stopped(request.reason)
    return "well rested"


def approve(request):
    """Asks somebody. The run holds no place while it waits."""
    if request.wait("Go on?", {"type": "boolean"}) is not True:
        raise gateway_engine.Permanent("refused")  # trying again can't help
    return "approved"
