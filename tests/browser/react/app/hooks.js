// hooks.js: the stream in React components. stream.js has the one connection of the app.
import { useMemo, useSyncExternalStore } from "react";
import { stream } from "./stream.js";

/** Return the state of the stream: "connecting", "open", "waiting", "lost" or "closed". */
export function useStream() {
  return useSyncExternalStore(
    (changed) => stream.onState(changed),
    () => stream.state,
  );
}

/** Return the newest version, such as {version: "2.4.0"}; undefined until there is one. */
export function useVersion() {
  return useSyncExternalStore(
    (changed) => stream.on("version", changed),
    () => stream.version,
  );
}

/** Return what is known of a task: {status, progress, result, error}. */
export function useTask(id) {
  const store = useMemo(() => taskStore(id), [id]);
  return useSyncExternalStore(store.subscribe, store.read);
}

function taskStore(id) {
  let task = { status: "pending" };
  return {
    read: () => task,
    subscribe(changed) {
      if (!id) return () => {};
      return stream.task(id).on((event) => {
        task = afterEvent(task, event);
        changed();
      });
    },
  };
}

function afterEvent(task, { event_type, data }) {
  switch (event_type) {
    case "task_started":
      return { ...task, status: "running" };
    case "progress_update":
      return { ...task, status: "running", progress: data };
    case "task_completed":
      return { ...task, status: "completed", result: data };
    case "task_failed":
      return { ...task, status: "failed", error: data.error };
    case "task_cancelled":
      return { ...task, status: "cancelled" };
    default:
      return { ...task, status: "unknown" };
  }
}
