"""All that the author of a workflow engine in Python imports.

Delivery is at least once: the same run may be started again after a crash of
either side, always with the same ``request.key``. An engine that must not do a
thing twice remembers the keys that it has done, or hands the key on to whatever
does the thing.

The smallest engine:

    import gateway_engine

    class Greeter(gateway_engine.Engine):
        workflows = ["greet"]

        def run(self, request):
            return {"greeting": f"hello from {request.workflow}"}

    gateway_engine.serve(Greeter())

Import this module first. The gateway reads the first line on the standard
output as a handshake; from the import on, whatever is printed goes to the log
instead.
"""

from .log import claim_stdout

claim_stdout()  # before any other import may print

from .model import (  # noqa: E402
    ConfigError,
    Description,
    Engine,
    Event,
    Failed,
    Permanent,
    Problem,
    RetryAfter,
    Running,
    Stopped,
    Succeeded,
    Unknown,
    Waiting,
    Workflow,
)
from .request import Request  # noqa: E402
from .serve import serve  # noqa: E402

__all__ = [
    "ConfigError", "Description", "Engine", "Event", "Failed", "Permanent", "Problem",
    "Request", "RetryAfter", "Running", "Stopped", "Succeeded", "Unknown", "Waiting",
    "Workflow", "serve",
]
