// Follows a server, and prints a line of JSON for all that happens to one flag: node follow.mjs URL KEY FLAG USER

import { Client } from "./client.mjs";
import { stringify } from "./json.mjs";

const [url, key, flag, userId] = process.argv.slice(2);
const client = new Client(url, key, (outcome, by) => {
  const { enabled, reason } = client.decide(flag, { userId });
  console.log(stringify({ outcome, by, cursor: client.replica.id, enabled, reason }));
});
await client.run();
