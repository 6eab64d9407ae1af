import { messageRange } from '@disparo/contract';
import type { System } from './system.js';
import type { Upload, User } from './user.js';

const SHOWN = 5;

/** The state of a campaign after the faults. Counts are of numbers, unless the name says chunks. */
export interface Verdict {
  status: string;
  total: number;
  published: number;
  stored: number;
  chunks: { unpublished: number; unstored: number; numbers: number };
  documents: number;
  identifiers: number;
  /** The first five places where a document differs from the file. */
  wrong: string[];
}

/** The verdict that an upload must end with. */
export function exactly({ numbers: { length } }: Upload): Verdict {
  return {
    status: 'enviado',
    total: length,
    published: length,
    stored: length,
    chunks: { unpublished: 0, unstored: 0, numbers: length },
    documents: length,
    identifiers: length,
    wrong: [],
  };
}

/** What the API, the ledger and the store say of a campaign. */
export async function verdict(
  system: Pick<System, 'pool' | 'messages'>,
  user: User,
  id: string,
  upload: Upload,
): Promise<Verdict> {
  const { status, total, published, stored } = await user.campaign(id);
  const { rows } = await system.pool.query<Verdict['chunks']>(
    `SELECT count(*) FILTER (WHERE published_at IS NULL)::int AS unpublished,
            count(*) FILTER (WHERE stored_at IS NULL)::int AS unstored, sum(size)::int AS numbers
       FROM campaign_chunks WHERE campaign_id = $1`,
    [id],
  );
  const documents = await system.messages
    .find({ _id: messageRange(id) })
    .sort({ _id: 1 })
    .toArray();
  const found = documents.map(
    ({ sequence, phone_number, message, deleted }) =>
      `${sequence} ${phone_number} ${deleted ? 'deleted ' : ''}${message}`,
  );
  const wanted = upload.numbers.map((number, index) => `${index + 1} ${number} ${upload.message}`);
  return {
    status,
    total,
    published,
    stored,
    chunks: rows[0] ?? { unpublished: -1, unstored: -1, numbers: -1 },
    documents: documents.length,
    identifiers: new Set(documents.map(({ identifier }) => identifier)).size,
    wrong: differences(found, wanted),
  };
}

/** The first places where two lists differ. Nobody could read a diff of fifty thousand lines. */
function differences(found: string[], wanted: string[]): string[] {
  const places: string[] = [];
  for (let at = 0; at < Math.max(found.length, wanted.length) && places.length < SHOWN; at++)
    if (found[at] !== wanted[at])
      places.push(`place ${at + 1}: ${found[at] ?? 'nothing'}, in place of ${wanted[at] ?? 'nothing'}`);
  return places;
}
