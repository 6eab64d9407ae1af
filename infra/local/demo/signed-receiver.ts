import { randomBytes } from 'node:crypto';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import { type Received, Receiver } from '../../../testing/receiver.js';

/** A request that an endpoint of the demo has had. */
export interface SignedRequest extends Received {
  /** What it was answered with. */
  status: number;
  /** The signature is of these bytes and this time. */
  verified: boolean;
  /** With one bit changed it is refused. */
  tamperProof: boolean;
}

/**
 * An endpoint in this process. Each request is verified with the secret, as a receiver of somebody else would do: by an
 * implementation of Standard Webhooks that is not ours.
 */
export class SignedReceiver {
  readonly requests: SignedRequest[] = [];
  /** Where it is called. Its last part is its own: what an earlier demo still owes to the same port is not taken for ours. */
  readonly url: string;
  /** The API makes it with the endpoint. */
  secret = '';
  readonly #path = `/${randomBytes(8).toString('hex')}`;

  private constructor(
    readonly name: string,
    private readonly receiver: Receiver,
    private readonly fails: (request: Received) => boolean,
    private readonly hear: (request: SignedRequest) => void,
  ) {
    this.url = new URL(this.#path, receiver.url).href;
    receiver.answer = (request) => ({ status: request.path === this.#path ? this.#take(request) : 404 });
  }

  /** `fails`: which requests are answered with 500. `hear` is called with each. */
  static async open(
    name: string,
    fails: (request: Received) => boolean,
    hear: (request: SignedRequest) => void,
  ): Promise<SignedReceiver> {
    return new SignedReceiver(name, await Receiver.open(), fails, hear);
  }

  close(): Promise<void> {
    return this.receiver.close();
  }

  #take(request: Received): number {
    const verified = this.#verifies(request.body, request);
    const changed = Buffer.from(request.body.map((byte, at) => (at === 0 ? byte ^ 1 : byte)));
    const status = !verified ? 401 : this.fails(request) ? 500 : 200;
    const seen = { ...request, status, verified, tamperProof: !this.#verifies(changed, request) };
    this.requests.push(seen);
    this.hear(seen);
    return status;
  }

  #verifies(body: Buffer, { headers }: Received): boolean {
    try {
      new Webhook(this.secret).verify(body, headers as Record<string, string>);
      return true;
    } catch (error) {
      if (error instanceof WebhookVerificationError) return false;
      throw error;
    }
  }
}
