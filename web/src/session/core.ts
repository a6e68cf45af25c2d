import init from "../wasm/desk_client";
import moduleUrl from "../wasm/desk_client_bg.wasm?url";

let loading: Promise<unknown> | undefined;

/** Loads the client core once. */
export function loadCore(): Promise<unknown> {
  loading ??= init({ module_or_path: moduleUrl }).catch((error: unknown) => {
    loading = undefined;
    throw error;
  });
  return loading;
}
