// Lets the vendors' own libraries meet the gateway, in both directions: what
// they sign is posted, rightly and with a byte changed; what `gateway sign` made
// is verified by them, rightly and with a byte changed. Reads what there is to
// know as JSON on stdin, prints one JSON line per request.

import { randomUUID } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import * as github from "@octokit/webhooks-methods";
import { LinearWebhookClient } from "@linear/sdk/webhooks";
import { verifyKey } from "discord-interactions";
import { HTTP, CloudEvent } from "cloudevents";
import { Webhook as Standard } from "standardwebhooks";
import { Webhook as Svix } from "svix";
import Stripe from "stripe";
import twilio from "twilio";
import "@shopify/shopify-api/adapters/node";
import { shopifyApi } from "@shopify/shopify-api";
import { createSHA256HMAC } from "@shopify/shopify-api/runtime";

const { isValidSlackRequest } = createRequire(import.meta.url)("@slack/bolt/dist/receivers/verify-request.js");
const { validateRequest, validateRequestWithBody } = twilio;
const { getExpectedTwilioSignature, getExpectedBodyHash } = createRequire(import.meta.url)("twilio/lib/webhooks/webhooks.js");

// base: where the gateway listens; publicURL: what it believes senders call.
const { base, publicURL, secret, whsec, discordKey, signed } = JSON.parse(readFileSync(0, "utf8"));
const now = () => new Date();
const json = { "content-type": "application/json" };
const form = { "content-type": "application/x-www-form-urlencoded" };

const stripe = new Stripe("sk_test_none");
const shopify = shopifyApi({
  apiKey: "none", apiSecretKey: secret, apiVersion: "2025-01", hostName: "hooks.example.com", isEmbeddedApp: false, logger: { level: 0 },
});

function standardHeaders(library, prefix, body) {
  const id = "msg_" + randomUUID(), at = now();
  return {
    [prefix + "-id"]: id, [prefix + "-timestamp"]: String(Math.floor(at / 1000)),
    [prefix + "-signature"]: library.sign(id, at, body),
  };
}

function twilioForm(fields, query = "") {
  const signature = getExpectedTwilioSignature(secret, publicURL + "/webhooks/twilio" + query, fields);
  return { query, headers: { ...form, "x-twilio-signature": signature }, body: new URLSearchParams(fields).toString() };
}

function twilioJSON(body) {
  const query = "?foo=1&bodySHA256=" + getExpectedBodyHash(body);
  const signature = getExpectedTwilioSignature(secret, publicURL + "/webhooks/twilio" + query, {});
  return { query, headers: { ...json, "x-twilio-signature": signature }, body };
}

const event = new CloudEvent({ id: "1", source: "/test", type: "order.made", data: { sum: 7 } });
const text = (message) => (typeof message.body === "string" ? message.body : JSON.stringify(message.body));
const bearer = { authorization: "Bearer " + secret };
const order = '{"id":1,"type":"order.made","text":"ä€😀"}';

// What the libraries sign: for each webhook a request and its event's type.
const requests = [
  ["github", "github.ping", { headers: { ...json, "x-github-event": "ping", "x-hub-signature-256": await github.sign(secret, order) }, body: order }],
  ["stripe", "stripe.order.made", { headers: { ...json, "stripe-signature": stripe.webhooks.generateTestHeaderString({ payload: order, secret }) }, body: order }],
  ["standard", "standard.order.made", { headers: { ...json, ...standardHeaders(new Standard(whsec), "webhook", order) }, body: order }],
  ["standard", "standard.order.made", { headers: { ...json, ...standardHeaders(new Svix(whsec), "svix", order) }, body: order }],
  ["gitlab", "gitlab.push", { headers: { ...json, ...standardHeaders(new Standard(whsec), "webhook", '{"object_kind":"push"}') }, body: '{"object_kind":"push"}' }],
  ["shopify", "shopify.orders.create", {
    headers: { ...json, "x-shopify-topic": "orders/create", "x-shopify-hmac-sha256": await createSHA256HMAC(secret, order) }, body: order,
  }],
  ["twilio", "twilio.message.received", twilioForm({ SmsStatus: "received", Body: "a b+c&d=ä", To: "+15551212" })],
  ["twilio", "twilio.call.ringing", twilioForm({ CallStatus: "ringing" }, "?foo=1&bar=a%20b")],
  ["twilio", "twilio", twilioJSON(order)],
  ["cloudevents", "order.made", (({ headers, ...m }) => ({ headers: { ...headers, ...bearer }, body: text(m) }))(HTTP.binary(event))],
  ["cloudevents", "order.made", (({ headers, ...m }) => ({ headers: { ...headers, ...bearer }, body: text(m) }))(HTTP.structured(event.cloneWith({ id: "2" })))],
];

async function post(webhook, { query = "", headers, body }) {
  const answer = await fetch(base + "/webhooks/" + webhook + query, { method: "POST", headers, body });
  return { code: answer.status, ...(await answer.json()) };
}

// tampered is the same request with one character of the body changed.
const changed = (body) => body.replace(/[a-z]/, (c) => (c === "x" ? "y" : "x"));
// A token signs nothing, so what is changed is the token.
const tampered = (r) =>
  r.headers.authorization ? { ...r, headers: { ...r.headers, authorization: bearer.authorization + "x" } } : { ...r, body: changed(r.body) };

for (const [webhook, kind, request] of requests) {
  console.log(JSON.stringify({ webhook, variant: "tampered", ...(await post(webhook, tampered(request))) }));
  console.log(JSON.stringify({ webhook, variant: "right", kind, ...(await post(webhook, request)) }));
}

const sane = (check) => async (...args) => {
  try {
    return (await check(...args)) !== false;
  } catch {
    return false;
  }
};

// What the libraries accept: (headers, body, url).
const checks = {
  github: (h, body) => github.verify(secret, body, h["x-hub-signature-256"]),
  bitbucket: (h, body) => github.verify(secret, body, h["x-hub-signature"]),
  stripe: (h, body) => Boolean(stripe.webhooks.constructEvent(body, h["stripe-signature"], secret)),
  standard: (h, body) => Boolean(new Standard(whsec).verify(body, h)) && Boolean(new Svix(whsec).verify(body, h)),
  gitlab: (h, body) => Boolean(new Standard(whsec).verify(body, h)),
  slack: (h, body) => isValidSlackRequest({ signingSecret: secret, body, headers: h }),
  shopify: async (h, body) => {
    const rawRequest = { method: "POST", url: "/", headers: { ...h, "x-shopify-api-version": "2025-01", "x-shopify-shop-domain": "a.myshopify.com" } };
    const rawResponse = {};
    return (await shopify.webhooks.validate({ rawBody: body, rawRequest, rawResponse })).valid;
  },
  linear: (h, body) => new LinearWebhookClient(secret).verify(Buffer.from(body), h["linear-signature"], JSON.parse(body).webhookTimestamp),
  discord: (h, body) => verifyKey(body, h["x-signature-ed25519"], h["x-signature-timestamp"], discordKey),
  twilio: (h, body, url) =>
    url.includes("bodySHA256") ? validateRequestWithBody(secret, h["x-twilio-signature"], url, body)
      : validateRequest(secret, h["x-twilio-signature"], url, Object.fromEntries(new URLSearchParams(body))),
  cloudevents: (h, body) => h.authorization === bearer.authorization && HTTP.toEvent({ headers: h, body }).validate(),
};

for (const { webhook, url, headers, body } of signed) {
  const h = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]));
  const check = sane(checks[webhook]);
  console.log(JSON.stringify({ webhook, variant: "made by gateway sign", valid: await check(h, body, url) }));
  if (webhook !== "cloudevents") {
    console.log(JSON.stringify({ webhook, variant: "made by gateway sign, tampered", valid: await check(h, changed(body), url) }));
  }
}
