import { request } from 'node:http';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ApiStage } from '../../../testing/api-stage.js';
import { lockReads, unlockAll } from './locks.js';
import {
  ask,
  many,
  one,
  openStream,
  overdue,
  type Polled,
  places,
  refusal,
  refused,
  servedMs,
  someIspb,
  startOf,
  states,
  store,
  untilPolls,
  waiting,
} from './streams.js';

/** Far less than the time for which a poll waits. */
const SOON_MS = 5_000;
const NEXT = /^\/api\/pix\/[0-9]{8}\/stream\/[0-9a-z]{12}$/;

let stage: ApiStage;
beforeAll(async () => {
  stage = await ApiStage.open();
});
afterAll(async () => {
  await unlockAll();
  await stage?.close();
});

const close = (path = '') => ask(stage, 'DELETE', path);

const CLOSED = refused(410, 'PIX.STREAM_CLOSED');
const EXPIRED = refused(410, 'PIX.STREAM_EXPIRED');
const SUPERSEDED = refused(410, 'PIX.STREAM_SUPERSEDED');
const NOT_FOUND = refused(404, 'PIX.STREAM_NOT_FOUND');
const NOT_ACCEPTABLE = refused(406, 'PIX.NOT_ACCEPTABLE');
const DONE = { status: 200, text: '{}', next: undefined };
const done = ({ status, text, next }: Polled) => ({ status, text, next });

/** A stream that holds a second batch: its tokens from the oldest to the current one, and the messages. */
async function holding() {
  const ispb = someIspb();
  const ids = await store(stage, ispb, 3);
  const older = await openStream(stage, ispb);
  const first = await one(stage, older);
  const second = await one(stage, first.next);
  return { ispb, ids, older, previous: first.next ?? '', current: second.next ?? '', second };
}

describe('what a collector gets', () => {
  test('one message comes whole, and says where the stream goes on', async () => {
    const ispb = someIspb();
    const [id] = await store(stage, ispb);
    const { status, headers, text, next } = await one(stage, startOf(ispb));
    expect({ status, body: JSON.parse(text) }).toEqual({
      status: 200,
      body: {
        endToEndId: id,
        valor: 90.2,
        pagador: {
          nome: 'Ana Gomes',
          cpfCnpj: '52998224725',
          ispb: '00038166',
          agencia: '0361',
          contaTransacional: '1210098',
          tipoConta: 'CACC',
        },
        recebedor: {
          nome: 'João "Jota" Lima',
          cpfCnpj: '11144477735',
          ispb,
          agencia: '0002',
          contaTransacional: '0000042',
          tipoConta: 'SVGS',
        },
        campoLivre: 'obrigado',
        txId: 'tx1',
        dataHoraPagamento: '2026-11-24T12:00:00.123Z',
      },
    });
    expect(next).toMatch(NEXT);
    expect(next).toContain(`/${ispb}/`);
    expect(['content-type', 'vary', 'cache-control'].map((name) => headers.get(name))).toEqual([
      'application/json; charset=utf-8',
      'Accept',
      'no-store',
    ]);
  });

  test('multipart/json is a list, ten at most and also of one, in the order of insertion', async () => {
    const ispb = someIspb();
    const ids = [...(await store(stage, ispb, 7)), ...(await store(stage, ispb, 4))];
    const first = await many(stage, startOf(ispb));
    const second = await many(stage, first.next);
    expect([first.ids, second.ids]).toEqual([ids.slice(0, 10), ids.slice(10)]);
    expect(second.text.startsWith('[{')).toBe(true);
    expect(second.headers.get('content-type')).toBe('application/json; charset=utf-8');
  });

  test('following Pull-Next acknowledges the batch before, and the form may change', async () => {
    const ispb = someIspb();
    await store(stage, ispb, 3);
    const first = await one(stage, startOf(ispb));
    expect(await places(stage, ispb)).toEqual(['in flight', 'waiting', 'waiting']);
    const second = await many(stage, first.next);
    expect(await places(stage, ispb)).toEqual(['delivered', 'in flight', 'in flight']);
    expect(done(await close(second.next))).toEqual(DONE);
    expect(await places(stage, ispb)).toEqual(['delivered', 'delivered', 'delivered']);
  });

  test('the token before repeats the same answer, as often as it is asked, and keeps the stream alive', async () => {
    const { ispb, ids, previous, second } = await holding();
    await stage.sql(`UPDATE pix_streams SET expires_at = now() + interval '5 s' WHERE ispb = $1`, [ispb]);
    const again = [await one(stage, previous), await many(stage, previous), await one(stage, previous)];
    expect(again.map((each) => [each.status, each.ids, each.next])).toEqual(
      Array.from({ length: 3 }, () => [200, [ids[1]], second.next]),
    );
    expect(again[2]?.text).toBe(second.text);
    expect(await places(stage, ispb)).toEqual(['delivered', 'in flight', 'waiting']);
    expect(
      await stage.sql(`SELECT expires_at > now() + interval '60 s' AS alive FROM pix_streams WHERE ispb = $1`, [ispb]),
    ).toEqual([{ alive: true }]);
  });

  test('several messages are not repeated as one, and stay', async () => {
    const ispb = someIspb();
    const ids = await store(stage, ispb, 2);
    const start = await openStream(stage, ispb);
    const first = await many(stage, start);
    expect(refusal(await one(stage, start))).toEqual(NOT_ACCEPTABLE);
    const again = await many(stage, start);
    expect([again.ids, again.next]).toEqual([ids, first.next]);
    expect(await places(stage, ispb)).toEqual(['in flight', 'in flight']);
  });

  test('two polls on one token: one claims, the other repeats it well before its time is over', async () => {
    const ispb = someIspb();
    const path = await openStream(stage, ispb);
    const both = [many(stage, path), many(stage, path)];
    await untilPolls(stage, 2);
    const ids = await store(stage, ispb, 2);
    const answers = await Promise.all(both);
    expect(answers.map((each) => [each.status, each.ids])).toEqual([
      [200, ids],
      [200, ids],
    ]);
    expect(answers[0]?.next).toBe(answers[1]?.next);
    for (const each of answers) expect(await servedMs(stage, each)).toBeLessThan(SOON_MS);
    expect(await places(stage, ispb)).toEqual(['in flight', 'in flight']);
  });

  test('a poll repeats what another on its token has claimed, though it never saw it wait', async () => {
    const ispb = someIspb();
    const { path, answer } = await waiting(stage, ispb);
    const other = await stage.stores.pool.connect();
    try {
      await other.query('BEGIN');
      await store({ sql: async (text, values) => (await other.query(text, values)).rows }, ispb, 2);
      await other.query(`SELECT pix_read($1, $2, 'aaaa', 'bbbb', 10, '68 s')`, [ispb, path.slice(-12, -4)]);
      await other.query('COMMIT');
    } finally {
      other.release();
    }
    const { status, ids, next } = await answer;
    expect([status, ids.length, next]).toEqual([200, 2, `${path.slice(0, -4)}bbbb`]);
    expect(await servedMs(stage, await answer)).toBeLessThan(SOON_MS);
  });

  test('an acknowledgement is committed before the poll waits, and its batch never comes again', async () => {
    const ispb = someIspb();
    await store(stage, ispb);
    const start = await openStream(stage, ispb);
    const { next } = await one(stage, start);
    const poll = one(stage, next);
    await stage.until(async () => (await places(stage, ispb))[0] === 'delivered', 'it is acknowledged');
    expect(refusal(await one(stage, start))).toEqual(SUPERSEDED);
    const [id] = await store(stage, ispb);
    const answer = await poll;
    expect(answer.ids).toEqual([id]);
    expect(await servedMs(stage, answer)).toBeLessThan(SOON_MS);
  });
});

describe('tokens that lead nowhere', () => {
  test('an older one is superseded, for GET and DELETE, and the stream goes on', async () => {
    const { ispb, ids, older, current } = await holding();
    expect(refusal(await one(stage, older))).toEqual(SUPERSEDED);
    expect(refusal(await close(older))).toEqual(SUPERSEDED);
    expect((await one(stage, current)).ids).toEqual([ids[2]]);
    expect(await places(stage, ispb)).toEqual(['delivered', 'delivered', 'in flight']);
  });

  test('one that is unknown, malformed or of another ISPB is not found', async () => {
    const { ispb, current } = await holding();
    const token = current.slice(-12);
    const paths = [
      `/api/pix/${someIspb()}/stream/${token}`,
      `/api/pix/${ispb}/stream/zzzzzzzzzzzz`,
      ...[
        'a',
        token.slice(1),
        `${token}0`,
        token.toUpperCase().replace(/[0-9]/g, 'A'),
        'a%00aaaaaaaaaa',
        '________aaaa',
      ].map((text) => `/api/pix/${ispb}/stream/${text}`),
    ];
    for (const path of paths) {
      expect([path, refusal(await one(stage, path))]).toEqual([path, NOT_FOUND]);
      expect([path, refusal(await close(path))]).toEqual([path, NOT_FOUND]);
    }
    expect(await places(stage, ispb)).toEqual(['delivered', 'in flight', 'waiting']);
  });

  test('those of a stream that has been deleted since are not found', async () => {
    const { ispb, current, previous } = await holding();
    await close(current);
    await stage.sql('DELETE FROM pix_streams WHERE ispb = $1', [ispb]);
    for (const path of [current, previous])
      expect([refusal(await one(stage, path)), refusal(await close(path))]).toEqual([NOT_FOUND, NOT_FOUND]);
  });

  test('those of an expired stream say so, for DELETE too: another has its messages', async () => {
    const { ispb, ids, older, previous, current } = await holding();
    await overdue(stage, ispb);
    const other = await many(stage, startOf(ispb));
    expect(other.ids).toEqual(ids.slice(1));
    for (const path of [current, previous, older])
      expect([refusal(await one(stage, path)), refusal(await close(path))]).toEqual([EXPIRED, EXPIRED]);
    expect(await places(stage, ispb)).toEqual(['delivered', 'in flight', 'in flight']);
  });

  test('an overdue stream that nobody has ended goes on with a GET, and with a DELETE', async () => {
    const [read, closed] = [await holding(), await holding()];
    await overdue(stage, read.ispb);
    await overdue(stage, closed.ispb);
    expect((await one(stage, read.current)).ids).toEqual([read.ids[2]]);
    expect(done(await close(closed.current))).toEqual(DONE);
    expect(await places(stage, closed.ispb)).toEqual(['delivered', 'delivered', 'waiting']);
  });
});

describe('the end of a stream', () => {
  test('with the current token it acknowledges; again, with either token, it changes nothing', async () => {
    const { ispb, previous, current } = await holding();
    for (const path of [current, current, previous]) expect(done(await close(path))).toEqual(DONE);
    expect(await places(stage, ispb)).toEqual(['delivered', 'delivered', 'waiting']);
    for (const path of [current, previous]) expect(refusal(await one(stage, path))).toEqual(CLOSED);
  });

  test('with the token before it gives the batch back at once: its answer never came', async () => {
    const { ispb, ids, previous, current } = await holding();
    for (const path of [previous, current, previous]) expect(done(await close(path))).toEqual(DONE);
    expect(await places(stage, ispb)).toEqual(['delivered', 'waiting', 'waiting']);
    for (const path of [current, previous]) expect(refusal(await one(stage, path))).toEqual(CLOSED);
    expect((await many(stage, startOf(ispb))).ids).toEqual(ids.slice(1));
  });

  test('of one that was given up for its client, it is done already', async () => {
    const { ispb, current } = await holding();
    await stage.sql(
      `UPDATE pix_streams SET closed_at = now(), closed_by = 'disconnect', batch = '{}' WHERE ispb = $1`,
      [ispb],
    );
    expect(done(await close(current))).toEqual(DONE);
    expect(refusal(await one(stage, current))).toEqual(CLOSED);
  });

  test('wakes a poll that waits on it', async () => {
    const { path, answer } = await waiting(stage, someIspb());
    expect(done(await close(path))).toEqual(DONE);
    expect(refusal(await answer)).toEqual(CLOSED);
    expect(await servedMs(stage, await answer)).toBeLessThan(SOON_MS);
  });
});

describe('six streams of an ISPB', () => {
  test('the seventh start is refused at once, until the first would expire', async () => {
    const ispb = someIspb();
    await store(stage, ispb, 8);
    const six = await Promise.all(Array.from({ length: 6 }, () => one(stage, startOf(ispb))));
    expect(new Set(six.flatMap(({ ids }) => ids)).size).toBe(6);
    const seventh = await one(stage, startOf(ispb));
    expect(refusal(seventh)).toEqual(refused(429, 'PIX.TOO_MANY_STREAMS', expect.any(String)));
    const seconds = Number(seventh.headers.get('retry-after'));
    expect(Number.isInteger(seconds) && seconds > 40 && seconds <= 68).toBe(true);
    expect(done(await close(six[0]?.next))).toEqual(DONE);
    expect((await one(stage, startOf(ispb))).status).toBe(200);
  });

  test('Retry-After counts the seconds to the first expiry, and is one at least', async () => {
    const ispb = someIspb();
    for (const slot of [1, 2, 3, 4, 5, 6]) await openStream(stage, ispb, slot);
    const after = async (left: string) => {
      await stage.sql(`UPDATE pix_streams SET expires_at = now() + $2::interval WHERE ispb = $1 AND slot = 4`, [
        ispb,
        left,
      ]);
      return Number((await one(stage, startOf(ispb))).headers.get('retry-after'));
    };
    expect([31, 30]).toContain(await after('30.5 s'));
    await stage.sql(`UPDATE pix_streams SET expires_at = now() - interval '9 s' WHERE ispb = $1 AND slot = 4`, [ispb]);
    // A read has it, so that no start ends it.
    const release = await lockReads(stage, ispb);
    expect((await one(stage, startOf(ispb))).headers.get('retry-after')).toBe('1');
    await release();
  });

  test('a start first ends what is overdue, and gets its messages', async () => {
    const ispb = someIspb();
    const ids = await store(stage, ispb, 6);
    for (let n = 0; n < 6; n++) await one(stage, startOf(ispb));
    await overdue(stage, ispb);
    expect((await many(stage, startOf(ispb))).ids).toEqual(ids);
    expect(await states(stage, ispb)).toEqual([...Array.from({ length: 6 }, () => 'expiry'), 'open']);
  });
});

describe('requests that are refused', () => {
  test('an ISPB has eight digits, on every route, whatever else is wrong', async () => {
    for (const ispb of ['3207498', '320749861', 'abcdefgh', '3207498%C2%B2'])
      for (const [method, path] of [
        ['GET', 'start'],
        ['GET', 'x'],
        ['DELETE', 'x'],
      ] as const) {
        const answer = await ask(stage, method, `/api/pix/${ispb}/stream/${path}`, { accept: 'text/html' });
        expect(refusal(answer)).toEqual(refused(400, 'VALIDATION'));
        expect(JSON.parse(answer.text).errors).toEqual([{ path: 'ispb', message: 'must be eight digits' }]);
      }
  });

  test('Accept is read before the token, and nothing is opened, acknowledged or claimed', async () => {
    const { ispb, current } = await holding();
    const html = { accept: 'text/html' };
    for (const path of [startOf(ispb), current, `/api/pix/${ispb}/stream/x`])
      expect(refusal(await ask(stage, 'GET', path, html))).toEqual(NOT_ACCEPTABLE);
    expect(await places(stage, ispb)).toEqual(['delivered', 'in flight', 'waiting']);
    expect(await states(stage, ispb)).toEqual(['open']);
    expect(done(await ask(stage, 'DELETE', current, html))).toEqual(DONE);
  });

  test('a query is not known here', async () => {
    const { ispb, current } = await holding();
    for (const [method, path] of [
      ['GET', startOf(ispb)],
      ['GET', current],
      ['DELETE', current],
    ] as const) {
      const answer = await ask(stage, method, `${path}?limit=5`);
      expect(refusal(answer)).toEqual(refused(400, 'VALIDATION'));
      expect(JSON.parse(answer.text).errors).toEqual([{ path: 'limit', message: 'is not known here' }]);
    }
    expect(await places(stage, ispb)).toEqual(['delivered', 'in flight', 'waiting']);
  });

  test('HEAD is no route, and claims nothing', async () => {
    const { ispb, current } = await holding();
    for (const path of [startOf(ispb), current]) {
      const { status, next } = await ask(stage, 'HEAD', path);
      expect({ status, next }).toEqual({ status: 404, next: undefined });
    }
    expect(await places(stage, ispb)).toEqual(['delivered', 'in flight', 'waiting']);
    expect(await states(stage, ispb)).toEqual(['open']);
  });

  test('the body and the Content-Type of a GET mean nothing', async () => {
    const ispb = someIspb();
    const [id] = await store(stage, ispb);
    const body = '<x/>'.repeat(50_000);
    const text = await new Promise<string>((resolve, reject) => {
      const asked = request(stage.url + startOf(ispb), {
        method: 'GET',
        agent: false,
        headers: { 'content-type': 'text/xml', 'content-length': body.length },
      });
      asked
        .on('error', reject)
        .on('response', (response) =>
          response.toArray().then((parts) => resolve(Buffer.concat(parts).toString()), reject),
        );
      asked.end(body);
    });
    expect(JSON.parse(text).endToEndId).toBe(id);
  });
});
