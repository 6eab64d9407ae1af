import { loadavg } from 'node:os';
import type { LanguageName } from '@disparo/contract/languages';
import type { Variable } from '../services/names.js';
import type { Stage } from '../testing/stage.js';
import { openStage, pendingCampaign } from './campaign.js';
import { machineOf } from './machine.js';
import { measureBilling } from './measure/billing.js';
import { CONTACT_WAYS, measureLoad } from './measure/contacts.js';
import { measureContactsDrain } from './measure/contacts-drain.js';
import { measureDrain } from './measure/drain.js';
import { EVENT_MIXES, EVENT_WAYS, measureEvents } from './measure/events.js';
import { measureHealth } from './measure/health.js';
import { insertEncoded } from './measure/mongo-ceiling.js';
import { type Confirm, measureNaive } from './measure/naive.js';
import { measurePartitions } from './measure/partitions.js';
import { measureMade, measurePix, measureWake, PIX_WAYS } from './measure/pix.js';
import { measureEndToEnd, measureUpload } from './measure/upload.js';
import type { Part, Plan, Size } from './plan.js';
import type { CeilingMeasure, Results } from './results.js';
import { ROUTINES, type RoutineMeasure } from './routines/routines.js';

const PLAIN = 'plain';
/** Load average of one minute; above it something else uses the machine. */
const QUIET_LOAD = 1;

/** Measures what the plan says, one thing at a time, each on a stage of its own. */
export class Bench {
  #stage: Stage | undefined;

  constructor(
    private readonly urls: Record<Variable, string>,
    private readonly plan: Plan,
    private readonly say: (line: string) => void,
  ) {}

  async run(): Promise<Results> {
    const begun = new Date().toISOString();
    const begin = loadavg()[0] ?? 0;
    if (begin > QUIET_LOAD)
      this.say(`The load average is ${begin.toFixed(1)}: something else is running, and the figures are worse for it`);
    const machine = await this.onStage(machineOf);
    const measured = {
      naive: await this.naive(),
      drains: await this.drains(),
      uploads: await this.each('upload', this.plan.uploads, (stage, numbers) => measureUpload(stage, numbers)),
      endToEnd: await this.endToEnd(),
      health: [
        ...(await this.each('health', this.plan.wrongLines, (stage, lines) => measureHealth(stage, 'wrong', lines))),
        ...(await this.each('health', this.plan.rightLines, (stage, lines) => measureHealth(stage, 'right', lines))),
      ],
      partitions: await this.partitions(),
      routines: await this.routines(),
      contacts: await this.contacts(),
      events: await this.events(),
      ...(this.plan.parts.includes('pix') && { pix: await this.pix() }),
      ...(this.plan.parts.includes('billing') && {
        billing: await measureBilling(this.plan.billing, this.say, (work) => this.onStage(work)),
      }),
    };
    const load = { begin, end: loadavg()[0] ?? 0 };
    const { name, parts } = this.plan;
    return { begun, ended: new Date().toISOString(), run: name || 'default', parts, machine, load, ...measured };
  }

  /** Ends every process that is being measured. run() then fails and closes what it has open. */
  async stop(): Promise<void> {
    await this.#stage?.killProcesses();
  }

  private async naive(): Promise<Results['naive']> {
    const { naive } = this.plan;
    const measure = (confirm: Confirm) =>
      this.each('naive', naive, (stage, numbers) => measureNaive(stage, numbers, confirm));
    return { each: await measure('each'), end: await measure('end') };
  }

  /** Measures a ceiling between the drains: each drain has one right before and one right after it. */
  private async drains(): Promise<Results['drains']> {
    const { plan } = this;
    if (!plan.parts.includes('drain')) return [];
    const drains: Results['drains'] = [];
    for (const size of [...plan.drains, ...plan.largest])
      for (let round = 1; round <= size.rounds; round++) {
        const languages = plan.largest.includes(size) ? plan.languages.slice(0, 1) : plan.languages;
        drains.push(...(await this.round(size, round, languages)));
      }
    return drains;
  }

  private async round(size: Size, round: number, languages: readonly LanguageName[]): Promise<Results['drains']> {
    const { numbers } = size;
    const drains: Results['drains'] = [];
    let before = await this.ceiling(numbers);
    const again = !this.plan.largest.includes(size);
    for (const language of languages) {
      this.say(`drain, ${language}, ${inWords(size, round)}`);
      const drain = await this.onStage((stage) => measureDrain(stage, language, numbers, { again }));
      const after = await this.ceiling(numbers);
      drains.push({ ...drain, ceilings: [before, after] });
      before = after;
    }
    return drains;
  }

  private ceiling(numbers: number): Promise<CeilingMeasure> {
    return this.onStage(async (stage) => {
      const campaign = await pendingCampaign(stage, numbers);
      const database = stage.mongo;
      await database.createCollection(PLAIN);
      const plainS = await insertEncoded(database, PLAIN, campaign);
      const validatedS = await insertEncoded(database, stage.messages.collectionName, campaign);
      return { numbers, validatedS, plainS };
    });
  }

  private async endToEnd(): Promise<Results['endToEnd']> {
    const measured: Results['endToEnd'] = [];
    for (const language of this.plan.languages)
      measured.push(
        ...(await this.each('end-to-end', this.plan.endToEnd, (stage, numbers) =>
          measureEndToEnd(stage, language, numbers),
        )),
      );
    return measured;
  }

  private async partitions(): Promise<Results['partitions']> {
    const { plan } = this;
    const [language] = plan.languages;
    if (!plan.parts.includes('partitions') || !language) return [];
    const measured: Results['partitions'] = [];
    for (const partitions of plan.partitions) {
      this.say(`partitions, ${language}, ${partitions}`);
      measured.push(
        await this.onStage((stage) => measurePartitions(stage, language, plan.partitionNumbers), partitions),
      );
    }
    return measured;
  }

  /** The ways of a routine take turns, so that other load on the machine affects all of them. */
  private async routines(): Promise<RoutineMeasure[]> {
    const { parts, routines } = this.plan;
    const measured: RoutineMeasure[] = [];
    if (!parts.includes('routines')) return measured;
    for (let round = 1; round <= routines.rounds; round++)
      for (const { name: routine, ways } of ROUTINES) {
        this.say(`routines, ${routine}, round ${round} of ${routines.rounds}`);
        for (const { name: way, clock, usual, run } of ways) {
          const items = Math.min(usual, routines.atMost);
          const seconds = await this.onStage((stage) => run(stage, items));
          measured.push({ routine, way, clock, items, seconds });
        }
      }
    return measured;
  }

  /** What is compared is measured in turns, so that other load on the machine affects all of it. */
  private async contacts(): Promise<NonNullable<Results['contacts']>> {
    const { parts, contacts } = this.plan;
    const measured: NonNullable<Results['contacts']> = { loads: [], drains: [] };
    if (!parts.includes('contacts')) return measured;
    const { users, waiting, rounds } = contacts;
    for (let round = 1; round <= rounds; round++) {
      for (const way of CONTACT_WAYS) {
        this.say(`contacts, ${way}, ${users.toLocaleString('en')} users, round ${round} of ${rounds}`);
        measured.loads.push(await this.onStage((stage) => measureLoad(stage, way, users)));
      }
      this.say(`contacts, drained and copied, ${waiting.toLocaleString('en')} users, round ${round} of ${rounds}`);
      measured.drains.push(await this.onStage((stage) => measureContactsDrain(stage, waiting)));
    }
    return measured;
  }

  /** The ways take turns, so that other load on the machine affects all of them. */
  private async events(): Promise<NonNullable<Results['events']>> {
    const { parts, events } = this.plan;
    const measured: NonNullable<Results['events']> = [];
    if (!parts.includes('events')) return measured;
    for (let round = 1; round <= events.rounds; round++)
      for (const mix of EVENT_MIXES)
        for (const way of EVENT_WAYS) {
          const messages = way === 'naive' ? events.naive : events.messages;
          this.say(`events, ${way}, ${mix}, ${messages.toLocaleString('en')}, round ${round} of ${events.rounds}`);
          measured.push(await this.onStage((stage) => measureEvents(stage, way, mix, messages)));
        }
    return measured;
  }

  /** The ways take turns, so that other load on the machine affects all of them. */
  private async pix(): Promise<NonNullable<Results['pix']>> {
    const { messages, made, rounds } = this.plan.pix;
    const measured: NonNullable<Results['pix']> = { drains: [], wakes: [], made: [] };
    for (let round = 1; round <= rounds; round++) {
      for (const way of PIX_WAYS) {
        this.say(`pix, ${way}, ${messages.toLocaleString('en')} messages, round ${round} of ${rounds}`);
        measured.drains.push(await this.onStage((stage) => measurePix(stage, way, messages)));
      }
      this.say(`pix, woken, round ${round} of ${rounds}`);
      measured.wakes.push(await this.onStage(measureWake));
    }
    this.say(`pix, ${made.toLocaleString('en')} made`);
    measured.made.push(...(await this.onStage((stage) => measureMade(stage, made))));
    return measured;
  }

  /** Measures every round of every size of a part, unless the part is left out. */
  private async each<T>(
    part: Part,
    sizes: readonly Size[],
    work: (stage: Stage, numbers: number) => Promise<T>,
  ): Promise<T[]> {
    const measured: T[] = [];
    if (!this.plan.parts.includes(part)) return measured;
    for (const size of sizes)
      for (let round = 1; round <= size.rounds; round++) {
        this.say(`${part}, ${inWords(size, round)}`);
        measured.push(await this.onStage((stage) => work(stage, size.numbers)));
      }
    return measured;
  }

  private async onStage<T>(work: (stage: Stage) => Promise<T>, partitions = 1): Promise<T> {
    const stage = await openStage({ services: this.urls, partitions });
    this.#stage = stage;
    try {
      return await work(stage);
    } finally {
      await stage.close();
    }
  }
}

function inWords({ numbers, rounds }: Size, round: number): string {
  return `${numbers.toLocaleString('en')} numbers${rounds > 1 ? `, round ${round} of ${rounds}` : ''}`;
}
