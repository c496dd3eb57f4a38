// Validates an AsyncAPI document: node .ci/asyncapi/check.js docs/asyncapi.yaml
import { readFileSync } from "node:fs";
import { Parser } from "@asyncapi/parser";

const { document, diagnostics } = await new Parser().parse(readFileSync(process.argv[2], "utf8"));
for (const { severity, code, message, path, range } of diagnostics) {
  console.log(`${["error", "warning", "info", "hint"][severity]} ${code} in line ${range.start.line + 1}, ${path.join(".")}: ${message}`);
}
if (!document || diagnostics.some(({ severity }) => severity <= 1)) process.exit(1);
console.log(`${document.channels().length} channels and ${document.operations().length} operations of AsyncAPI ${document.version()} are valid`);
