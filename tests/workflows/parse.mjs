// Reads each file as GitHub reads it and says what is wrong with it; exits 1 where anything is.
// usage: node parse.mjs FOLDER-OF-NODE_MODULES FILE…
import { readFileSync } from "node:fs";
import { register } from "node:module";
import { basename, resolve } from "node:path";
import { pathToFileURL } from "node:url";

// The parser is made for bundlers: it imports its schemas as JSON without saying so.
register(
  "data:text/javascript," +
    encodeURIComponent(`
      import { readFile } from "node:fs/promises";
      export async function load(url, context, next) {
        if (!url.endsWith(".json")) return next(url, context);
        const text = await readFile(new URL(url), "utf8");
        return { format: "module", shortCircuit: true, source: "export default " + text };
      }`),
);

const [folder, ...files] = process.argv.slice(2);
const parser = pathToFileURL(resolve(folder, "node_modules/@actions/workflow-parser/dist") + "/").href;
const { parseWorkflow, convertWorkflowTemplate, NoOperationTraceWriter } = await import(parser + "index.js");
const { parseAction } = await import(parser + "actions/action-parser.js");

async function faults(path) {
  const file = { name: path, content: readFileSync(path, "utf8") };
  const isAction = ["action.yml", "action.yaml"].includes(basename(path));
  const { context, value } = (isAction ? parseAction : parseWorkflow)(file, new NoOperationTraceWriter());
  const found = context.errors.getErrors().map((error) => error.message);
  if (found.length > 0 || isAction) return found;
  const workflow = await convertWorkflowTemplate(context, value, undefined, { fetchReusableWorkflowDepth: 0 });
  return (workflow.errors ?? []).map((error) => error.Message);
}

let code = 0;
for (const path of files) {
  for (const fault of await faults(path)) {
    console.log(`${path}: ${fault}`);
    code = 1;
  }
}
process.exit(code);
