import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect } from 'vitest';
import { inflict, purgesInWords } from './inflict.js';
import { unlessOutage } from './outage.js';
import { type Form, type Part, type Sent, schedule } from './schedule.js';
import type { System } from './system.js';
import { type CampaignView, type Receipt, type Upload, User, uploadOf } from './user.js';
import { exactly, type Verdict, verdict } from './verdict.js';
import { Watch } from './watch.js';

const POLL_MS = 200;
const SOON_MS = 5;
const CONTRADICTIONS_SHOWN = 5;
/** An API that was killed during an upload starts again after this time. */
const API_BACK_MS = 500;

/** A file that was accepted. */
interface Accepted extends Receipt {
  upload: Upload;
}

/** One run of a seed, from an empty system to the verdict. */
export class Run {
  readonly #begun = performance.now();
  readonly #accepted: Accepted[] = [];
  #watch: Watch | undefined;

  constructor(
    private readonly system: System,
    private readonly seed: number,
    private readonly form: Form,
  ) {}

  /** Runs all parts. Throws when anything is not as it must be. */
  async toItsEnd(): Promise<void> {
    const { system } = this;
    const parts = schedule(this.seed, this.form);
    system.healAfterS = parts[0]?.healAfterS ?? 0;
    system.startApi();
    system.startConsumers();
    const user = await User.register(system.apiUrl, system.over);
    system.startScheduler();
    const watch = new Watch(system);
    this.#watch = watch;
    await Promise.race([this.partsAndVerdict(parts, user, watch), watch.failed]);
    this.say(purgesInWords(system.purged));
  }

  /** Ends every process. Returns the state of ledger and queues, and which processes had ended before: for a failed run. */
  async state(): Promise<string> {
    await this.system.end();
    const { rows: campaigns } = await this.system.pool.query(
      `SELECT name, status, total, published, stored, partition, lease_until > now() AS leased,
              (SELECT json_agg(json_build_array(first_sequence, published_at, attempts) ORDER BY first_sequence)
                 FROM (SELECT * FROM campaign_chunks k WHERE k.campaign_id = c.id AND stored_at IS NULL LIMIT 3) k) AS unstored
         FROM campaigns c ORDER BY created_at`,
    );
    const queues = await this.system.onBroker(async (channel) => {
      const all: object[] = [];
      for (const queue of [...this.system.queues, this.system.names.deadLetterQueue])
        all.push(await channel.checkQueue(queue));
      return all;
    });
    const seen = [
      ...(this.#watch?.contradictions.slice(0, CONTRADICTIONS_SHOWN) ?? []),
      ...this.system.endedByThemselves,
    ];
    return [...campaigns, ...queues, ...seen].map((line) => JSON.stringify(line)).join('\n');
  }

  say(line: string): void {
    const seconds = ((performance.now() - this.#begun) / 1_000).toFixed(1);
    const told = `${seconds.padStart(6)} s  ${String(this.#watch?.stored ?? 0).padStart(6)} stored  ${line}\n`;
    process.stdout.write(told);
    appendFileSync(join(this.system.folder, 'faults.log'), `${new Date().toISOString()} ${told}`);
  }

  private async partsAndVerdict(parts: Part[], user: User, watch: Watch): Promise<void> {
    for (const [nth, part] of parts.entries()) {
      this.say(`part ${nth + 1}: ${part.campaigns.length} campaigns, HEAL_AFTER_S=${part.healAfterS}`);
      await this.part(part, user);
    }
    await this.judge(user, watch);
  }

  private async part(part: Part, user: User): Promise<void> {
    const { system } = this;
    system.healAfterS = part.healAfterS;
    const [first, ...others] = part.campaigns.map((sent, nth) => ({ sent, nth: this.#accepted.length + nth }));
    // The clock of a part starts when there is something to hit.
    if (first) await this.upload(first.sent, first.nth, user);
    await this.untilStoring();
    const uploads = others.map(({ sent, nth }) => this.upload(sent, nth, user));
    const faults = part.faults.map(async ({ atMs, ...fault }) => {
      await system.wait(atMs);
      await inflict(system, fault, (line) => this.say(line));
    });
    // Waits for all of them, even when one fails, so that all that is down comes up again.
    for (const done of await Promise.allSettled([...uploads, ...faults]))
      if (done.status === 'rejected') throw done.reason;
    this.say('all faults are over');
    await this.untilSent(user);
    this.say('every campaign is enviado');
  }

  private async upload({ atMs, total, apiDies }: Sent, nth: number, user: User): Promise<void> {
    const sent = uploadOf(this.seed, nth, total);
    await this.system.wait(atMs);
    const dying = apiDies === undefined ? undefined : this.apiDies(apiDies, sent);
    // Awaited below, but not when the upload fails first.
    dying?.catch(() => {});
    const receipt = await user.send(sent);
    await dying;
    this.#accepted[nth] = { ...receipt, upload: sent };
    this.say(
      `${sent.name} of ${total}: answered with ${receipt.status} after ${receipt.unanswered} tries without an answer`,
    );
  }

  private async apiDies(when: number | 'once accepted', { name }: Upload): Promise<void> {
    const { system } = this;
    if (when === 'once accepted') await this.untilInLedger(name);
    else await system.wait(when);
    await system.inTurn('api', async () => {
      await system.killApi();
      this.say(`API killed during the upload of ${name}, ${when === 'once accepted' ? when : `after ${when} ms`}`);
      await system.wait(API_BACK_MS);
      system.startApi();
    });
  }

  private async untilInLedger(name: string): Promise<void> {
    for (; ; await this.system.wait(SOON_MS)) {
      const found = await this.system.pool.query('SELECT FROM campaigns WHERE name = $1', [name]).catch(unlessOutage);
      if (found?.rowCount) return;
    }
  }

  private async untilStoring(): Promise<void> {
    const deadline = performance.now() + this.form.settleMs;
    const before = this.#watch?.stored ?? 0;
    while ((this.#watch?.stored ?? 0) === before) {
      if (performance.now() > deadline) throw new Error('nothing is stored of the first campaign of the part');
      await this.system.wait(SOON_MS);
    }
  }

  private async untilSent(user: User): Promise<void> {
    const { settleMs } = this.form;
    let best = 0;
    let progressAt = performance.now();
    for (; ; await this.system.wait(POLL_MS)) {
      const views: CampaignView[] = [];
      for (const { id } of this.#accepted) views.push(await user.campaign(id));
      if (views.every(({ status }) => status === 'enviado')) return;
      const stored = views.reduce((sum, view) => sum + view.stored, 0);
      if (stored > best) progressAt = performance.now();
      best = Math.max(best, stored);
      if (performance.now() > progressAt + settleMs)
        throw new Error(
          `stuck, ${settleMs / 1_000} s after the last number was stored: ${views.map(inWords).join('; ')}`,
        );
    }
  }

  private async judge(user: User, watch: Watch): Promise<void> {
    const { system } = this;
    const found: Record<string, Verdict> = {};
    for (const { id, upload } of this.#accepted) found[upload.name] = await verdict(system, user, id, upload);
    expect(found, 'every number once, in the order of its file').toEqual(
      Object.fromEntries(this.#accepted.map(({ upload }) => [upload.name, exactly(upload)])),
    );
    const ids = this.#accepted.map(({ id }) => id).sort();
    expect((await user.campaignIds()).sort(), 'one campaign for each file that was sent').toEqual(ids);
    for (const { id, upload } of this.#accepted) {
      const again = await user.send(upload);
      expect({ id: again.id, status: again.status }, `${upload.name}, sent again with its key`).toEqual({
        id,
        status: 200,
      });
    }
    expect((await user.campaignIds()).sort(), 'one campaign for each key').toEqual(ids);
    const total = this.#accepted.reduce((sum, { upload }) => sum + upload.numbers.length, 0);
    expect(await system.messages.countDocuments(), 'documents').toBe(total);
    // Only their number, as the list would be long.
    const identifiers = await system.messages
      .aggregate([{ $group: { _id: '$identifier' } }, { $count: 'of' }])
      .toArray();
    expect(identifiers, 'different identifiers').toEqual([{ of: total }]);
    expect(await this.leftAtTheBroker(), 'dead letters').toEqual({ messageCount: 0 });
    expect(watch.contradictions, 'seen while things went wrong').toEqual([]);
    expect(watch.looks, 'looks at the ledger').toBeGreaterThan(0);
    await system.end();
    expect(system.endedByThemselves, 'processes that nobody had killed').toEqual([]);
  }

  private leftAtTheBroker(): Promise<{ messageCount: number }> {
    return this.system.onBroker(async (channel) => {
      const { messageCount } = await channel.checkQueue(this.system.names.deadLetterQueue);
      return { messageCount };
    });
  }
}

function inWords({ status, total, published, stored }: CampaignView): string {
  return `${status}, ${published} published and ${stored} stored of ${total}`;
}
