import os
import subprocess
import unittest

from gateway_engine import Event, Request

import workflows


class EngineTest(unittest.TestCase):
    def test_greet(self):
        """A workflow is a function."""
        event = Event(id="1", source="/api", type="user.created")
        said = workflows.greet(Request("key", "greet", event, {"name": "Ada"}))
        self.assertEqual(said, "hello Ada, thank you for user.created")

    def test_contract(self):
        """The program is an engine. GATEWAY says where the gateway is."""
        gateway = os.environ.get("GATEWAY", "gateway")
        check = subprocess.run([gateway, "engines", "check"], capture_output=True, text=True, timeout=300)
        self.assertEqual(check.returncode, 0, check.stdout + check.stderr)


if __name__ == "__main__":
    unittest.main()
