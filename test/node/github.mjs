// Signs every published example of GitHub's webhooks with GitHub's own library
// and posts it, rightly and wrongly signed. Prints one JSON line per request.
//
//   SECRET=… node github.mjs http://127.0.0.1:8080/webhooks/github

import { randomUUID } from "node:crypto";
import { request, Agent } from "node:http";
import { createRequire } from "node:module";
import { sign, verify } from "@octokit/webhooks-methods";

const examples = createRequire(import.meta.url)("@octokit/webhooks-examples");
const agent = new Agent({ keepAlive: true, maxSockets: 4 });
const [url] = process.argv.slice(2);
const secret = process.env.SECRET;

function post(event, body, signatures) {
  const headers = {
    "content-type": "application/json",
    "user-agent": "GitHub-Hookshot/044aadd",
    "x-github-delivery": randomUUID(),
    "x-github-event": event,
    // An array is sent as one line each.
    ...(signatures.length > 0 && { "x-hub-signature-256": signatures }),
  };
  return new Promise((resolve, reject) => {
    const r = request(url, { method: "POST", agent, headers }, (answer) => {
      let text = "";
      answer.setEncoding("utf8");
      answer.on("data", (part) => (text += part));
      answer.on("end", () => resolve({ code: answer.statusCode, ...JSON.parse(text) }));
    });
    r.on("error", reject);
    r.end(body);
  });
}

// variants of one payload: what is sent, and how it is signed.
async function variants(body) {
  const right = await sign(secret, body);
  if (!(await verify(secret, body, right))) throw new Error("the library does not verify what it signed");
  const wrong = await sign(secret + "!", body);
  return [
    ["wrong", body, [wrong]],
    ["missing", body, []],
    ["doubled", body, [right, right]],
    ["one of each", body, [wrong, right]],
    ["tampered", body + " ", [right]],
    ["right", body, [right]],
    ["again", body, [right]],
  ];
}

for (const { name: event, examples: payloads } of examples) {
  for (const payload of payloads) {
    for (const [variant, body, signatures] of await variants(JSON.stringify(payload))) {
      console.log(JSON.stringify({ event, variant, ...(await post(event, body, signatures)) }));
    }
  }
}
agent.destroy();
