import { Interrupted } from '@disparo/contract';
import type { ConsumeMessage } from 'amqplib';
import { describe, expect, it } from 'vitest';
import { Inbox, MAX_BATCH_NUMBERS } from './gather.js';

const message = (numbers: number): ConsumeMessage => {
  const phone_numbers = Array.from({ length: numbers }, () => '+5511987654321');
  const chunk = { version: 1, campaign_id: 'c1', company_id: 'e1', message: 'Oi', first_sequence: 1, phone_numbers };
  return { content: Buffer.from(JSON.stringify(chunk)) } as ConsumeMessage;
};

function inboxOf(prefetch: number) {
  const over = new AbortController();
  const inbox = new Inbox(prefetch, over.signal);
  const batch = async () => {
    const gathered = await inbox.gather();
    return gathered === 'over' ? gathered : gathered.deliveries.map(({ numbers }) => numbers);
  };
  const push = (...sizes: number[]) => {
    for (const size of sizes) inbox.push(message(size));
  };
  return { over, inbox, batch, push };
}

describe('step 1: what makes a batch', () => {
  it('takes what is buffered, at most the prefetch, in order', async () => {
    const { batch, push } = inboxOf(3);
    push(1, 2, 3, 4);
    expect(await batch()).toEqual([1, 2, 3]);
    expect(await batch()).toEqual([4]);
  });

  it('takes exactly the numbers that a batch may have', async () => {
    const { batch, push } = inboxOf(10);
    push(5_000, 4_999, 1, 1);
    expect(MAX_BATCH_NUMBERS).toBe(10_000);
    expect(await batch()).toEqual([5_000, 4_999, 1]);
    expect(await batch()).toEqual([1]);
  });

  it('leaves a delivery that would go over for the next batch', async () => {
    const { batch, push } = inboxOf(10);
    push(4_000, 4_000, 4_000, 1);
    expect(await batch()).toEqual([4_000, 4_000]);
    expect(await batch()).toEqual([4_000, 1]);
  });

  it('counts a malformed delivery as no numbers', async () => {
    const { batch, push, inbox } = inboxOf(10);
    push(5_000, 5_000);
    inbox.push({ content: Buffer.from('{') } as ConsumeMessage);
    expect(await batch()).toEqual([5_000, 5_000, 0]);
  });

  it('waits for the first delivery, and lets more of them join it', async () => {
    const { batch, push } = inboxOf(10);
    const gathered = batch();
    push(1);
    await Promise.resolve();
    push(2);
    expect(await gathered).toEqual([1, 2]);
  });

  it('gives the batches in the order in which they were asked for, each after the one before', async () => {
    const { push, inbox } = inboxOf(1);
    const asked = [inbox.gather(), inbox.gather()];
    push(1, 2);
    const [first, second] = await Promise.all(asked);
    if (first === undefined || first === 'over' || second === undefined || second === 'over')
      throw new Error('two batches were pushed');
    expect([first, second].map((batch) => batch.deliveries[0]?.numbers)).toEqual([1, 2]);
    let come = false;
    const never = new AbortController().signal;
    const waiting = second.turn.wait(never).then(() => {
      come = true;
    });
    await first.turn.wait(never);
    await new Promise(setImmediate);
    expect(come).toBe(false);
    first.turn.pass();
    await waiting;
  });

  it('never passes the turn of a batch that was dropped', async () => {
    const { push, inbox } = inboxOf(1);
    push(1, 2);
    await inbox.gather();
    const behind = await inbox.gather();
    if (behind === 'over') throw new Error('two batches were pushed');
    const session = new AbortController();
    const waiting = behind.turn.wait(session.signal);
    session.abort();
    await expect(waiting).rejects.toBeInstanceOf(Interrupted);
    await expect(behind.turn.wait(session.signal)).rejects.toBeInstanceOf(Interrupted);
  });

  it('gives nothing once it is over, also what was fetched already', async () => {
    const { batch, push, over } = inboxOf(10);
    const gathered = batch();
    over.abort();
    push(1);
    expect(await gathered).toBe('over');
    expect(await batch()).toBe('over');
  });
});
