/** A consumer as the suite knows it: a command, and the little that may differ from one language to another. */
interface Language {
  /** The process to start: the executable (or `node`), then its arguments; paths from the root of the clone. */
  command: readonly [string, ...string[]];
  /** The file that a build leaves behind. */
  binary: string;
  /** The variable that names a file of trusted root certificates. */
  rootsVariable: string;
}

/** Every consumer. A new one is one more row. */
export const LANGUAGES = {
  typescript: {
    command: ['node', 'consumer/typescript/dist/main.js'],
    binary: 'consumer/typescript/dist/main.js',
    rootsVariable: 'NODE_EXTRA_CA_CERTS',
  },
  rust: {
    command: ['consumer/rust/target/release/consumer'],
    binary: 'consumer/rust/target/release/consumer',
    rootsVariable: 'SSL_CERT_FILE',
  },
  go: {
    command: ['consumer/go/bin/consumer'],
    binary: 'consumer/go/bin/consumer',
    rootsVariable: 'SSL_CERT_FILE',
  },
} as const satisfies Record<string, Language>;

/** The name of a language: the key of its row. */
export type LanguageName = keyof typeof LANGUAGES;

/** The names, in the order of the table. */
export const LANGUAGE_NAMES = Object.keys(LANGUAGES) as LanguageName[];
