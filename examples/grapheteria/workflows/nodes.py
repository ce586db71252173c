"""The nodes of approval.json."""

from grapheteria import Node


class Assess(Node):
    """Looks at the order, which came as the event's payload."""

    def cleanup(self, shared, prepared, result):
        order = shared["event_payload"]["order"]
        shared["order"] = order["number"]
        shared["large"] = order["amount"] > shared["event_config"]["limit"]


class AskPerson(Node):
    """Waits for a person, for days if need be; nothing runs meanwhile.

    The answer starts `prepare` anew: put nothing before request_input that must
    not be done twice.
    """

    async def prepare(self, shared, request_input):
        shared["decision"] = await request_input(
            prompt=f"Order {shared['order']} is a large one. Ship it?", options=["approve", "decline"])


class Note(Node):
    """Stands for whatever ships. The key makes doing it twice do no harm."""

    def prepare(self, shared, request_input):
        return shared["order"], shared["event_key"]

    def execute(self, prepared):
        order, key = prepared
        with open(f"../data/{self.config['line']}.log", "a") as file:
            file.write(f"{order} {key}\n")

    def cleanup(self, shared, prepared, result):
        shared["done"] = self.config["line"]
