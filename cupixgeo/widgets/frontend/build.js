/* Bundles src/ into dist/scene.js: npm ci && npm run build. The first line of the bundle names what
 * it was made of; a test compares it with the sources. */

import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { build } from "esbuild";

const hash = createHash("sha256");
const sources = readdirSync("src").sort().map((name) => `src/${name}`);
for (const name of [...sources, "build.js", "package-lock.json"]) hash.update(`${name}\n`).update(readFileSync(name));

mkdirSync("dist", { recursive: true });
writeFileSync("dist/three-LICENSE.txt", readFileSync("node_modules/three/LICENSE"));
await build({
  entryPoints: ["src/scene.js"],
  outfile: "dist/scene.js",
  bundle: true,
  minify: true,
  format: "esm",
  target: "es2022",
  legalComments: "inline",
  banner: { js: `/* made of ${hash.digest("hex")} by build.js; holds three.js, MIT, see three-LICENSE.txt */` },
});
