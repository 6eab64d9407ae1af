/** A type of event that the producers publish: its schema, and how a message of it is made. */
interface ProducedType {
  schema: object;
  /** `random`: from 0 to 1, as Math.random. A string holds JSON: the other form that a message may have. */
  message(random: () => number): string | object;
}

const ACTIONS = ['login', 'logout', 'update'] as const;

/** The types, by their names. The Go producers make the same ones. */
export const TYPES: Readonly<Record<string, ProducedType>> = {
  'monitor-app': {
    schema: {
      type: 'object',
      required: ['host', 'cpu', 'memory_mb'],
      properties: {
        host: { type: 'string', pattern: '^host-[0-9]+$' },
        cpu: { type: 'number', minimum: 0, maximum: 1 },
        memory_mb: { type: 'integer', minimum: 1 },
      },
    },
    message: (random) => ({
      host: `host-${1 + below(random, 20)}`,
      cpu: below(random, 101) / 100,
      memory_mb: 128 + below(random, 16_000),
    }),
  },
  'user-app': {
    schema: {
      type: 'object',
      required: ['user_id', 'action'],
      properties: { user_id: { type: 'string', pattern: '^u-[0-9]+$' }, action: { enum: [...ACTIONS] } },
    },
    message: (random) =>
      JSON.stringify({ user_id: `u-${1 + below(random, 10_000)}`, action: ACTIONS[below(random, ACTIONS.length)] }),
  },
  'transaction-app': {
    schema: {
      type: 'object',
      required: ['transaction_id', 'amount_cents', 'currency'],
      properties: {
        transaction_id: { type: 'string', pattern: '^t-[0-9]+$' },
        amount_cents: { type: 'integer', minimum: 1 },
        currency: { enum: ['BRL'] },
      },
    },
    message: (random) => ({
      transaction_id: `t-${below(random, 1_000_000_000)}`,
      amount_cents: 1 + below(random, 500_000),
      currency: 'BRL',
    }),
  },
};

/** A whole number from 0 to `limit` - 1. */
export function below(random: () => number, limit: number): number {
  return Math.floor(random() * limit);
}
