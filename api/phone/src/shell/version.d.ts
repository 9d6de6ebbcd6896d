/** What the client was built from, as its build has written it in. */
declare const __VERSION__: string
