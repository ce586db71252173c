"""An engine that has nothing to do with Grapheteria, for tests of gateway_engine."""

import sys

import gateway_engine

print("printed before the handshake")


class Plain(gateway_engine.Engine):
    name = "plain"
    workflows = ["quick", "slow", "ask", "fail", "permanent", "full", "exit"]

    def configure(self, config, base_dir):
        for key in config or {}:
            if key != "greeting":
                raise gateway_engine.Problem(f'unknown key "{key}"', key)

    def run(self, request):
        request.accept("run-of-" + request.key)
        return getattr(self, "do_" + request.workflow, self.do_unknown)(request)

    def do_quick(self, request):
        print("x" * 100)
        return {"type": request.event.type, "data": request.event.data(), "attempt": request.attempt}

    def do_slow(self, request):
        if not request.stopped.wait(300):
            return "never"
        raise gateway_engine.Stopped()

    def do_ask(self, request):
        return {"answer": request.wait("What now?")}

    def do_fail(self, request):
        raise OSError("no network")

    def do_permanent(self, request):
        raise gateway_engine.Permanent("never")

    def do_full(self, request):
        raise gateway_engine.RetryAfter("full", 2.5)

    def do_exit(self, request):
        sys.exit(3)

    def do_unknown(self, request):
        raise gateway_engine.Permanent(f"no workflow {request.workflow}")


if __name__ == "__main__":
    gateway_engine.serve(Plain())
