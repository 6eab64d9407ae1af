import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import { freePort } from '../../../services/ports.js';
import { joinWith } from '../../../testing/proxy.js';

const DAYS = '2';
const AMQP_PORT = 5672;

/** A certificate authority of the test's own, made by openssl. No system trusts it. */
export class Authority {
  readonly #folder = mkdtempSync(join(tmpdir(), 'disparo-authority-'));

  constructor(name: string) {
    const args = ['req', '-x509', '-newkey', 'rsa:2048', '-nodes', '-days', DAYS, '-subj', `/CN=${name}`];
    const extensions = ['basicConstraints=critical,CA:TRUE', 'keyUsage=critical,keyCertSign,cRLSign'];
    this.#openssl(...args, ...extensions.flatMap((it) => ['-addext', it]), '-keyout', 'ca.key', '-out', 'ca.pem');
  }

  /** The path of its own certificate, which a client must trust. */
  get file(): string {
    return join(this.#folder, 'ca.pem');
  }

  /** Signs a certificate for a server of these names (`DNS:localhost`), and returns it with its key. */
  issue(names: string): { key: Buffer; cert: Buffer } {
    writeFileSync(
      join(this.#folder, 'extensions'),
      `subjectAltName=${names}\nextendedKeyUsage=serverAuth\nbasicConstraints=CA:FALSE\n`,
    );
    const request = ['req', '-newkey', 'rsa:2048', '-nodes', '-subj', '/CN=broker'];
    this.#openssl(...request, '-keyout', 'server.key', '-out', 'server.csr');
    const sign = ['x509', '-req', '-days', DAYS, '-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial'];
    this.#openssl(...sign, '-extfile', 'extensions', '-in', 'server.csr', '-out', 'server.pem');
    const read = (file: string) => readFileSync(join(this.#folder, file));
    return { key: read('server.key'), cert: read('server.pem') };
  }

  async close(): Promise<void> {
    rmSync(this.#folder, { recursive: true });
  }

  #openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.#folder, stdio: 'pipe' });
  }
}

/** A TLS server in front of the broker: it decrypts, and hands the bytes on. */
export class TlsBroker {
  readonly #sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: URL,
    private readonly port: number,
  ) {}

  static async open(url: string, certificate: { key: Buffer; cert: Buffer }): Promise<TlsBroker> {
    const port = await freePort();
    const target = new URL(url);
    const server = createServer(certificate);
    const broker = new TlsBroker(server, target, port);
    server.on('secureConnection', (near) => joinWith(target, AMQP_PORT, near, broker.#sockets));
    server.on('tlsClientError', () => {});
    await once(server.listen(port, '127.0.0.1'), 'listening');
    return broker;
  }

  /** The `amqps` URL. The host is a name and not an address, as certificates contain names. */
  get url(): string {
    const { username, password, pathname } = this.target;
    return `amqps://${username}:${password}@localhost:${this.port}${pathname}`;
  }

  async close(): Promise<void> {
    this.server.close();
    for (const socket of this.#sockets) socket.destroy();
  }
}
