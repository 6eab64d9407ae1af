import { age } from '../../../functions/platform/terminal.js';
import { bar } from '../demo/progress.js';
import { table } from '../demo/table.js';
import { colour } from '../supervise/terminal.js';
import type { CampaignRow, Queue, Status } from './status-reader.js';

const BAR = 20;

/** One screen: services, queues, dead letters, the last ten campaigns. No line is wider than `width` where possible. */
export function screen(status: Status, width: number): string {
  const { at, services, queues, deadLetters, campaigns } = status;
  const rows = services.map(({ title, down }) => [
    title,
    down === undefined ? up() : colour('red', 'down'),
    down ?? '',
  ]);
  return [
    `${colour('bold', 'Disparo')}  ${colour('dim', at.toISOString().replace('T', ' ').slice(0, 19))}`,
    table(['service', 'is', 'reason'], rows, width),
    '',
    colour('bold', 'Queue'),
    queues ? table(['queue', 'ready', 'consumers'], queues.map(queueRow), width) : 'not known: RabbitMQ is down',
    ...deadLetterLines(deadLetters),
    '',
    colour('bold', 'The last ten campaigns'),
    ...campaignLines(status, campaigns, width),
  ].join('\n');
}

function up(): string {
  return colour('green', 'up');
}

function queueRow({ name, ready, consumers }: Queue): string[] {
  if (ready === undefined || consumers === undefined) return [name, 'not there', ''];
  const nobody = consumers === 0 && ready > 0;
  return [name, count(ready), nobody ? colour('red', '0') : String(consumers)];
}

function deadLetterLines(dead: Queue | undefined): string[] {
  if (!dead) return [];
  if (!dead.ready) return ['No dead letters'];
  return [
    `${colour('yellow', `${count(dead.ready)} dead letter${dead.ready === 1 ? '' : 's'}`)}: npm run dead-letters -- list`,
  ];
}

function campaignLines({ services }: Status, campaigns: CampaignRow[] | undefined, width: number): string[] {
  if (campaigns === undefined)
    return [services[0]?.down === undefined ? 'no tables yet: npm run migrate' : 'not known: PostgreSQL is down'];
  if (campaigns.length === 0) return ['none yet'];
  const rows = campaigns.map(({ id, status, total, stored, age_s }) => [
    id,
    status,
    bar(stored / total, BAR),
    count(stored),
    count(total),
    age(age_s),
  ]);
  return [table(['id', 'status', 'progress', 'stored', 'total', 'age'], rows, width)];
}

function count(of: number): string {
  return of.toLocaleString('en');
}
