/** Loaded before the tests (bunfig.toml): Bun's own limit of 5 s a test is too short for a busy machine. */
import { setDefaultTimeout } from "bun:test";

setDefaultTimeout(60_000);
