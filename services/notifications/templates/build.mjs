// Makes the mails of templates/*.mjml: dist/templates/*.html. An error in one of them fails the build.
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import mjml2html from "mjml";

const folder = dirname(fileURLToPath(import.meta.url));
const target = join(folder, "..", "dist", "templates");
mkdirSync(target, { recursive: true });
for (const file of readdirSync(folder).filter((f) => f.startsWith("order-"))) {
  const path = join(folder, file);
  const { html, errors } = await mjml2html(readFileSync(path, "utf8"), { filePath: path, validationLevel: "strict", ignoreIncludes: false });
  if (errors.length > 0) {
    throw new Error(`${file}: ${errors.map((e) => e.formattedMessage).join("; ")}`);
  }
  writeFileSync(join(target, file.replace(".mjml", ".html")), html);
}
