"""engine-python, a workflow engine for the event gateway."""

import gateway_engine  # first: what others print goes to the log

import workflows


class Engine(gateway_engine.Engine):
    name = "engine-python"
    version = "0.1.0"
    workflows = ["greet", "nap", "approve"]

    def run(self, request):
        if request.workflow not in self.workflows:
            raise gateway_engine.Permanent(f'unknown workflow "{request.workflow}"')
        return getattr(workflows, request.workflow)(request)


gateway_engine.serve(Engine())
