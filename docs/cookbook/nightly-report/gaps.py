# Reads a list of events and says whether any second between them has none.
import datetime, json, sys

times = [datetime.datetime.fromisoformat(e["time"].replace("Z", "+00:00")) for e in json.load(sys.stdin)["events"]]
seconds = {int(t.timestamp()) for t in times}
missing = set(range(min(seconds), max(seconds) + 1)) - seconds
print("one report for each second" if not missing else f"{len(missing)} reports are missing")
