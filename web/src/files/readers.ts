import moduleUrl from "../wasm-files/desk_files_bg.wasm?url";

type Readers = typeof import("../wasm-files/desk_files");

let loading: Promise<Readers> | undefined;

/** Loads the readers of board files, a module of its own, when they are first needed. */
export function loadReaders(): Promise<Readers> {
  loading ??= import("../wasm-files/desk_files")
    .then(async (readers) => {
      await readers.default({ module_or_path: moduleUrl });
      return readers;
    })
    .catch((error: unknown) => {
      loading = undefined;
      throw error;
    });
  return loading;
}
