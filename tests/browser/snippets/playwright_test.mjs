// Stands in for @playwright/test: runs the tests of a file with the Playwright of Python's package.
// Usage: node playwright_test.mjs PLAYWRIGHT CHROMIUM BASE_URL FILE
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [playwright, executablePath, baseURL, file] = process.argv.slice(2);
const { chromium } = createRequire(import.meta.url)(playwright);
const tests = [];
globalThis.registerTest = (name, run) => tests.push({ name, run });
await import(pathToFileURL(file));
const browser = await chromium.launch({ executablePath, args: ["--no-sandbox", "--disable-gpu"] });
for (const { name, run } of tests) {
  const context = await browser.newContext({ baseURL });
  await run({ page: await context.newPage(), request: context.request });
  console.log(`ok ${name}`);
}
await browser.close();
