// Reads {jwks, token, issuer, audience, privateKey, subject} as JSON; says what jose makes of the token, and signs one of its own with the same key.
import { createLocalJWKSet, importPKCS8, jwtVerify, SignJWT } from "jose";
import { text } from "node:stream/consumers";

const given = JSON.parse(await text(process.stdin));
const rules = { issuer: given.issuer, audience: given.audience, algorithms: ["ES256"], requiredClaims: ["sub", "exp", "iat", "nbf", "jti"] };
let claims;
let error;
try {
  ({ payload: claims } = await jwtVerify(given.token, createLocalJWKSet(given.jwks), rules));
} catch (e) {
  error = e.code;
}
const key = await importPKCS8(given.privateKey, "ES256");
const signed = await new SignJWT({ roles: ["operator"] })
  .setProtectedHeader({ alg: "ES256", kid: given.jwks.keys[0].kid, typ: "JWT" })
  .setIssuer(given.issuer).setAudience(given.audience).setSubject(given.subject)
  .setIssuedAt().setNotBefore("0s").setExpirationTime("5m").sign(key);
console.log(JSON.stringify({ claims, error, signed }));
