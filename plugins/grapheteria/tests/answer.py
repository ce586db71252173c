"""Answer a run from outside of a gateway: answer.py BASE_DIR CONFIG KEY ANSWER, all JSON but the first."""

import json
import sys

from gateway_engine import Event, Request
from grapheteria_engine.engine import GrapheteriaEngine

base_dir, config, key, answer = sys.argv[1], *map(json.loads, sys.argv[2:])
engine = GrapheteriaEngine()
engine.configure(config, base_dir)
print(json.dumps(engine.answer(Request(key, "", Event("", "", ""), answer))))
engine.close()
