export { GroupBackend } from "../../src/backend/group_backend.ts";
export type { GroupBackendOptions } from "../../src/backend/options.ts";
export type { FetchOptions } from "../../src/backend/backend.ts";
