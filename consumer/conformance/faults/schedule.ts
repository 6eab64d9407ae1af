import { randomFrom } from '../../../testing/random.js';

/** How a service goes down: stopped as by an operator, or killed as by a power cut. */
export type Going = 'stopped' | 'killed';

/** One thing that goes wrong, with all that was drawn for it at random. Times in milliseconds. */
export type Fault =
  | { kind: 'consumer killed'; which: number; backMs: number; prefetch: number }
  | { kind: 'consumer stands still'; which: number; forMs: number }
  | { kind: 'API killed'; backMs: number }
  | { kind: 'dispatcher killed'; afterMs: number }
  | { kind: 'connections to the broker cut' }
  | { kind: 'broker restarted'; how: Going; downMs: number }
  | { kind: 'MongoDB restarted'; how: Going; downMs: number }
  | { kind: 'PostgreSQL restarted'; how: Going; downMs: number }
  /** `picks`: which chunks, each as a position among all chunks of the ledger (0 to 1), in the order of publishing. */
  | { kind: 'chunks published again'; picks: number[] }
  | { kind: 'queues purged' };

/** The name of a fault. */
export type Kind = Fault['kind'];

/** A fault and its time, from the beginning of its part. */
type Planned = Fault & { atMs: number };

/** A campaign that a user sends meanwhile. */
export interface Sent {
  atMs: number;
  total: number;
  /** The API is killed during this upload: after that many milliseconds, or as soon as the ledger has the campaign. */
  apiDies?: number | 'once accepted';
}

/** Faults and campaigns together; the next part begins when all of them are over and every campaign is `enviado`. */
export interface Part {
  /** HEAL_AFTER_S of this part. */
  healAfterS: number;
  campaigns: Sent[];
  faults: Planned[];
}

/** The size of a run. */
export interface Form {
  /** Numbers a campaign. */
  total: number;
  /** CAMPAIGN_QUEUE_SLOTS: so many chunks that a campaign takes long enough for faults to hit it. */
  slots: number;
  /** How long a consumer is stopped (SIGSTOP). */
  stillMs: number;
  /**
   * After the faults, the run is stuck when no further number was stored for this time. Leases are 30 s, and grace times
   * have doubled.
   */
  settleMs: number;
  parts: readonly { healAfterS: number; rounds: number; roundMs: number; campaigns: number; kinds: readonly Kind[] }[];
}

/** All kinds; in a round each occurs as often as it is listed here. */
export const KINDS: readonly Kind[] = [
  'consumer killed',
  'consumer killed',
  'consumer stands still',
  'API killed',
  'dispatcher killed',
  'connections to the broker cut',
  'broker restarted',
  'MongoDB restarted',
  'PostgreSQL restarted',
  'chunks published again',
  'queues purged',
];
/** All kinds that lose no message. */
const LOSSLESS = KINDS.filter((kind) => kind !== 'queues purged');
/** Longer than a run, so that nothing heals and what a fault loses stays lost. */
const NO_HEALING_S = 86_400;
const SOON_S = 2;
const MINUTE_MS = 60_000;

/** About a minute, for `npm test`. */
export const SHORT: Form = {
  total: 5_000,
  slots: 1_000,
  stillMs: 3_000,
  settleMs: 90_000,
  parts: [
    { healAfterS: NO_HEALING_S, rounds: 1, roundMs: 12_000, campaigns: 3, kinds: LOSSLESS },
    {
      healAfterS: SOON_S,
      rounds: 1,
      roundMs: 4_000,
      campaigns: 1,
      kinds: ['queues purged', 'consumer killed', 'chunks published again'],
    },
  ],
};

/** `minutes` of faults, 2 at least: first two thirds without losses and without healing, then with purges and healing. */
export function long(minutes: number): Form {
  const rounds = Math.max(minutes, 2);
  const withPurges = Math.max(Math.floor(rounds / 3), 1);
  const round = { roundMs: MINUTE_MS, campaigns: 2 };
  return {
    total: 50_000,
    slots: 3_000,
    stillMs: 40_000,
    settleMs: 180_000,
    parts: [
      { ...round, healAfterS: NO_HEALING_S, rounds: rounds - withPurges, kinds: LOSSLESS },
      { ...round, healAfterS: SOON_S, rounds: withPurges, kinds: KINDS },
    ],
  };
}

/** The parts of a run: the same ones for the same seed and form. */
export function schedule(seed: number, form: Form): Part[] {
  const draw = new Draw(randomFrom(seed));
  return form.parts.map(({ healAfterS, rounds, roundMs, campaigns, kinds }) => {
    const part: Part = { healAfterS, campaigns: [], faults: [] };
    for (let round = 0; round < rounds; round++) {
      const beginMs = round * roundMs;
      for (let nth = 0; nth < campaigns; nth++) {
        // Spread over the round, so that there is something to hit most of the time.
        const slotMs = roundMs / campaigns;
        const atMs = beginMs + (nth === 0 ? 0 : draw.between((nth - 1) * slotMs, nth * slotMs));
        part.campaigns.push({ atMs, total: form.total, ...(nth === 1 && { apiDies: death(draw, round) }) });
      }
      for (const kind of kinds) {
        // It takes most of a round, so it is only in every third one.
        if (kind === 'consumer stands still' && round % 3 > 0) continue;
        // A purge of an empty queue loses nothing. Early in a round the queues hold something.
        const atMs = kind === 'queues purged' ? beginMs + draw.between(0, 500) : beginMs + draw.between(0, roundMs);
        part.faults.push({ ...fault(kind, draw, form), atMs });
      }
    }
    part.faults.sort((one, other) => one.atMs - other.atMs);
    return part;
  });
}

/** Draws at random, all from one sequence. */
class Draw {
  constructor(private readonly random: () => number) {}

  /** A share, from 0 to 1. */
  share(): number {
    return this.random();
  }

  /** A whole number, from `from` up to but not `to`. */
  between(from: number, to: number): number {
    return Math.floor(from + this.random() * (to - from));
  }

  oneOf<T>(choices: readonly [T, ...T[]]): T {
    return choices[Math.floor(this.random() * choices.length)] ?? choices[0];
  }
}

/**
 * When the API dies during an upload. In the first round the upload is surely accepted and its answer lost. The lease of the
 * publisher that dies with the API ends after 30 s.
 */
function death(draw: Draw, round: number): NonNullable<Sent['apiDies']> {
  const afterMs = draw.between(0, 500);
  return round === 0 || draw.share() < 0.5 ? 'once accepted' : afterMs;
}

function fault(kind: Kind, draw: Draw, { stillMs }: Form): Fault {
  switch (kind) {
    case 'consumer killed':
      return {
        kind,
        which: draw.oneOf([0, 1]),
        backMs: draw.between(0, 3_000),
        // Shared by two partitions: mostly one chunk at a time each, so that a kill can hit many different moments.
        prefetch: draw.oneOf([2, 4]),
      };
    case 'consumer stands still':
      return { kind, which: draw.oneOf([0, 1]), forMs: stillMs };
    case 'API killed':
      return { kind, backMs: draw.between(0, 2_000) };
    case 'dispatcher killed':
      return { kind, afterMs: draw.between(0, 2_000) };
    case 'broker restarted':
    case 'MongoDB restarted':
    case 'PostgreSQL restarted':
      return { kind, how: draw.oneOf(['stopped', 'killed']), downMs: draw.between(0, 2_000) };
    case 'chunks published again':
      return { kind, picks: Array.from({ length: draw.between(3, 12) }, () => draw.share()) };
    case 'connections to the broker cut':
    case 'queues purged':
      return { kind };
  }
}
