// TypeScript has the names of pages or those of workers, never both. The client runs in both.

interface SharedWorkerGlobalScope extends EventTarget {
  onconnect: ((event: MessageEvent) => void) | null;
}

declare var SharedWorkerGlobalScope: { new (): SharedWorkerGlobalScope };
