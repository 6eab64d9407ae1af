/** Where the app runs: a function is frozen between requests, a server is not. Injected by this class. */
export class Runtime {
  constructor(readonly kind: 'function' | 'server') {}
}
