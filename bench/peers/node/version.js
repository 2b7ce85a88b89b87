// Prints the version of a package and of Node.
import { readFileSync } from "node:fs";

const name = process.argv[2];
const { version } = JSON.parse(readFileSync(new URL(`./node_modules/${name}/package.json`, import.meta.url)));
console.log(`${name} ${version}, Node ${process.version}`);
