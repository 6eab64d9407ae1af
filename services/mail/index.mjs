// A mail server for `serverless offline start`, on loopback: it delivers nothing, and writes each mail into `.local/mail`. It
// does not start where SMTP_URL is set.
import { join, relative } from 'node:path';

export default class LocalMail {
  #serverless;
  #catcher;

  constructor(serverless) {
    this.#serverless = serverless;
    this.hooks = {
      'before:offline:start:init': () => this.#start(),
      'offline:start:end': () => this.#catcher?.close(),
    };
  }

  async #start() {
    const { service, serviceDir } = this.#serverless;
    const { readEnvironment } = await import('@disparo/contract');
    const { SMTP_URL, SMTP_FROM } = readEnvironment(process.env, serviceDir);
    if (SMTP_URL) return;
    const { LOCAL_FROM, openCatcher } = await import('../../dist/services/mail/server.js');
    const say = (line) => process.stderr.write(`Mails on this machine: ${line}\n`);
    this.#catcher = await openCatcher({ folder: join(serviceDir, '.local', 'mail'), say }).catch((error) => {
      // Serverless prints this one without a stack.
      throw error.name === 'CommandError' ? new this.#serverless.classes.Error(error.message) : error;
    });
    const { url, folder } = this.#catcher;
    Object.assign(service.provider.environment, { SMTP_URL: url, SMTP_FROM: SMTP_FROM ?? LOCAL_FROM });
    process.stdout.write(
      `Mails on this machine are not delivered, but written to ${relative(serviceDir, folder)}: ${url}\n`,
    );
  }
}
