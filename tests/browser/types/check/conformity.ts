// The client and its declarations agree. TypeScript reads a .d.ts instead of the .js beside it, so
// the test copies each module to a name without a .d.ts.

import * as client from "./copy-of-sse-client.js";
import * as source from "./copy-of-sse-event-source.js";
import type * as declaredClient from "./sse-client.js";
import type * as declaredSource from "./sse-event-source.js";

type Implementation = typeof client & typeof source;
type Declaration = typeof declaredClient & typeof declaredSource;
type Same<A, B> = [A] extends [B] ? ([B] extends [A] ? true : false) : false;
type IsAny<T> = 0 extends 1 & T ? true : false;

/** The modules have everything that the declarations promise. */
export const promised: [typeof declaredClient, typeof declaredSource] = [client, source];

/** The modules export nothing that is not declared. */
export const names: Same<keyof Implementation, keyof Declaration> = true;

/** What is declared can be passed to the modules. */
export const options: Parameters<Implementation["connect"]> = [] as Parameters<
  Declaration["connect"]
>;
export const arguments_: ConstructorParameters<Implementation["SharedEventSource"]> =
  [] as unknown as ConstructorParameters<Declaration["SharedEventSource"]>;

/** With `any`, the checks above would find nothing. */
export const isAny: [
  IsAny<Implementation["connect"]>,
  IsAny<ReturnType<Implementation["connect"]>>,
  IsAny<InstanceType<Implementation["SharedEventSource"]>>,
] = [false, false, false];
