# What the shop does, in a language of its own: nothing of the gateway is used.
import base64, hashlib, hmac, json, os, sys, time, urllib.error, urllib.request

body = json.dumps({"id": sys.argv[1], "kind": "order", "total": 12}).encode()
now = str(int(time.time()))
mac = hmac.new(os.environ["SHOP_SECRET"].encode(), f"{now}.".encode() + body, hashlib.sha256)
request = urllib.request.Request("http://127.0.0.1:8080/webhooks/shop", body, {
    "Content-Type": "application/json",
    "X-Shop-Time": now,
    "X-Shop-Signature": "v1=" + base64.b64encode(mac.digest()).decode(),
})
try:
    print(urllib.request.urlopen(request).read().decode())
except urllib.error.HTTPError as refused:
    print(refused.code, refused.read().decode())
