/**
 * Every class of fault at its full count, against real servers:
 *
 *     deno task soak                        all of it: some five minutes
 *     deno task soak --quick                a twentieth of it
 *     deno task soak --only proxy           one class
 *     deno task soak --seed 7 --count 500   other chance, another count
 *     deno task soak --protocol meta        another wire
 *     bun tools/soak.ts --only long         on Bun
 */

import process from "node:process";
import { parseArgs } from "node:util";
import { aborts, hostileServers, mutatedClient, mutatedFrames, proxyFaults } from "./soak/bytes.ts";
import { history, kills, stops } from "./soak/outages.ts";
import { burst, largeMulti, long } from "./soak/pressure.ts";
import { type FaultResult, heading, lineOf, type SoakOptions } from "./soak/result.ts";

const cases: Readonly<Record<string, (options: SoakOptions) => Promise<FaultResult>>> = {
  proxy: proxyFaults,
  hostile: hostileServers,
  wire: mutatedFrames,
  client: mutatedClient,
  aborts,
  stops,
  kills,
  burst,
  multi: largeMulti,
  long,
  history,
};

const { values } = parseArgs({
  options: {
    quick: { type: "boolean", default: false },
    only: { type: "string" },
    seed: { type: "string", default: "1" },
    count: { type: "string" },
    protocol: { type: "string", default: "binary" },
  },
});
const { protocol, only } = values;
if (protocol !== "binary" && protocol !== "meta") {
  throw new TypeError(`Cannot soak protocol "${protocol}": it is "binary" or "meta"`);
}
if (only !== undefined && !(only in cases)) {
  throw new TypeError(`Cannot soak "${only}": name one of ${Object.keys(cases).join(", ")}`);
}
const options: SoakOptions = {
  seed: Number(values.seed),
  protocol,
  share: values.quick ? 0.05 : 1,
  count: values.count === undefined ? undefined : Number(values.count),
};

console.log(`seed ${options.seed}, protocol ${protocol}${values.quick ? ", quick" : ""}\n${heading}`);
let failed = 0;
for (const [name, run] of Object.entries(cases)) {
  if (only !== undefined && name !== only) continue;
  try {
    const result = await run(options);
    console.log(lineOf(result));
    if (result.failures.length > 0) failed++;
  } catch (error) {
    console.log(`${name.padEnd(34)} FAILED: ${error instanceof Error ? error.stack : error}`);
    failed++;
  }
}
console.log(failed === 0 ? "soak: all is well" : `soak: ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
