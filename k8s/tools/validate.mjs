// Checks Kubernetes documents offline:  node validate.mjs --schemas FOLDER FILE ...
// Three sources: validators compiled from Kubernetes' OpenAPI (types, what is required, enumerations, formats), the attribute tables that its JavaScript client was
// generated with (fields that do not exist: what `kubectl apply --validate=strict` refuses), and the schemas in --schemas for Dapr's kinds.
// Prints a line of JSON for each problem: {file, document, path, problem}; the exit code is 1 when there are any.
import { readFileSync, readdirSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { pathToFileURL } from "node:url";
import Ajv from "ajv";
import { parseAllDocuments } from "yaml";

const require = createRequire(import.meta.url);
const packages = join(dirname(require.resolve("ajv/package.json")), "..");
const gvk = /^(?:([^/]+)\/)?([^/]+)$/;

/** Dapr's kinds by apiVersion/kind. */
function readSchemas(folder) {
  const ajv = new Ajv({ allErrors: true, strict: true, strictRequired: false, allowUnionTypes: true });
  ajv.addVocabulary(["x-apiVersion", "x-kind"]);
  const schemas = new Map();
  const files = readdirSync(folder).filter((f) => f.endsWith(".json"));
  for (const file of files) ajv.addSchema(JSON.parse(readFileSync(join(folder, file), "utf8")), file);
  for (const file of files) {
    const { "x-apiVersion": apiVersion, "x-kind": kind } = JSON.parse(readFileSync(join(folder, file), "utf8"));
    if (kind) schemas.set(`${apiVersion}/${kind}`, ajv.getSchema(file));
  }
  return schemas;
}

const models = new Map();

async function load(path) {
  if (!models.has(path)) models.set(path, await import(pathToFileURL(path)).catch((error) => {
    if (error.code === "ERR_MODULE_NOT_FOUND" || error.code === "ENOENT") return null;
    throw error;
  }));
  return models.get(path);
}

const table = async (type) => (await load(join(packages, "@kubernetes/client-node/dist/gen/models", `${type}.js`)))?.[type];

/** Fields that the type does not have, at any depth. */
async function unknownFields(type, value, path, problems) {
  const array = /^Array<(.+)>$/.exec(type);
  if (array) {
    if (Array.isArray(value)) for (const [i, item] of value.entries()) await unknownFields(array[1], item, `${path}/${i}`, problems);
    return;
  }
  const map = /^\{ \[key: string\]: (.+); \}$/.exec(type);
  if (map) {
    for (const [key, item] of Object.entries(value ?? {})) await unknownFields(map[1], item, `${path}/${key}`, problems);
    return;
  }
  if (value === null || typeof value !== "object" || Array.isArray(value)) return;
  const model = await table(type);
  if (!model) return;
  const fields = new Map(model.getAttributeTypeMap().map((f) => [f.baseName, f.type]));
  for (const [key, item] of Object.entries(value)) {
    if (!fields.has(key)) problems.push([`${path}/${key}`, `unknown field of ${type}`]);
    else await unknownFields(fields.get(key), item, `${path}/${key}`, problems);
  }
}

async function check(document, schemas) {
  const problems = [];
  const { apiVersion, kind } = document;
  if (typeof apiVersion !== "string" || typeof kind !== "string") return [["", "apiVersion and kind are missing"]];
  if (typeof document.metadata?.name !== "string") problems.push(["/metadata/name", "is missing"]);
  const [, group, version] = gvk.exec(apiVersion) ?? [];
  if (group?.endsWith("dapr.io")) {
    const validate = schemas.get(`${apiVersion}/${kind}`);
    if (!validate) return [["", `there is no schema of ${apiVersion} ${kind}`]];
    if (!validate(document)) for (const e of validate.errors) problems.push([e.instancePath, `${e.message} ${JSON.stringify(e.params)}`]);
    return problems;
  }
  const monitoring = group === "monitoring.coreos.com";
  const folder = join(packages, monitoring ? "@kubernetes-models/prometheus-operator" : "kubernetes-models", group ?? "", version);
  const model = (await load(join(folder, `${kind}.js`)))?.[kind];
  if (!model) return [["", `there is no schema of ${apiVersion} ${kind}`]];
  try {
    new model(document).validate();
  } catch (error) {
    for (const e of error.errors ?? [error]) problems.push([e.instancePath ?? "", `${e.message ?? e.keyword} ${JSON.stringify(e.params ?? {})}`]);
  }
  if (!monitoring) {
    const type = `${version[0].toUpperCase()}${version.slice(1)}${kind}`;
    const known = (await table(type)) ? type : kind === "Event" ? undefined : type;
    if (!(await table(known))) problems.push(["", `there is no attribute table of ${known}`]);
    await unknownFields(known, document, "", problems);
  }
  return problems;
}

const [, , flag, folder, ...files] = process.argv;
if (flag !== "--schemas" || files.length === 0) {
  console.error("usage: node validate.mjs --schemas FOLDER FILE ...");
  process.exit(2);
}
const schemas = readSchemas(folder);
let documents = 0;
for (const file of files) {
  for (const parsed of parseAllDocuments(readFileSync(file, "utf8"), { uniqueKeys: true })) {
    const report = (document, path, problem) => {
      process.exitCode = 1;
      console.log(JSON.stringify({ file, document, path, problem }));
    };
    for (const error of parsed.errors) report("", "", error.message);
    const document = parsed.toJS();
    if (parsed.errors.length > 0 || document === null || document === undefined) continue;
    documents++;
    for (const [path, problem] of await check(document, schemas)) report(`${document.kind} ${document.metadata?.name}`, path, problem);
  }
}
console.error(`${documents} documents`);
