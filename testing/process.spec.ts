import { describe, expect, it } from 'vitest';
import { Process } from './process.js';
import { untilTrue } from './until.js';

function running(script: string): Process {
  return new Process('a script', [process.execPath, '-e', script], { env: {} });
}

describe('a process', () => {
  it('is killed by us when it was alive', async () => {
    const living = running('setInterval(() => {}, 1000);');
    expect(await living.kill()).toBe('killed by us');
    expect(await living.ended()).toBe('killed by us');
  });

  it.each([
    ['an exit code', 'process.exit(3)', 'code 3'],
    ['0', '', 'code 0'],
    ['an abort', `process.kill(process.pid, 'SIGABRT')`, 'SIGABRT'],
    ['a SIGKILL of somebody else, such as a kernel without memory', `process.kill(process.pid, 'SIGKILL')`, 'SIGKILL'],
  ])('that ended by itself with %s was not killed by a later kill', async (_, script, ending) => {
    const dying = running(script);
    await dying.exited;
    expect(await dying.kill()).toBe(ending);
  });

  it.runIf(process.platform === 'linux')('has handled a signal when it is said to have taken it', async () => {
    const busy = running(
      `process.on('SIGTERM', () => { for (const end = Date.now() + 300; Date.now() < end;); console.log('handled'); });
       setInterval(() => {}, 1000); console.log('up');`,
    );
    await untilTrue(() => busy.output.includes('up'), 'it is up');
    await busy.signalAndTaken('SIGTERM');
    await busy.kill();
    expect(busy.output).toEqual(['up', 'handled']);
  });

  it('that ends is waited for no longer, with its last words', async () => {
    const dying = running(
      'console.log(JSON.stringify({ msg: "up" })); console.error("no memory"); process.exitCode = 4',
    );
    expect((await dying.untilSaid('u')).line).toEqual({ msg: 'up' });
    await expect(dying.untilSaid('ready')).rejects.toThrow('no memory');
    expect(() => dying.throwIfEnded()).toThrow('a script ended with code 4');
    expect(dying.output.toSorted()).toEqual(['no memory', '{"msg":"up"}']);
  });

  it('has its lines read as JSON, and half a line not at all', async () => {
    const halved = running(`process.stdout.write('{"msg":"é"}\\n{"msg":')`);
    await halved.exited;
    expect(halved.lines).toEqual([{ msg: 'é' }]);
    const talking = running(`console.log('Hello')`);
    await talking.exited;
    expect(() => talking.lines).toThrow('not JSON: Hello');
  });
});
