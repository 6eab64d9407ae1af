// SQS for `serverless offline start`: makes the queues that serverless.yml describes, on loopback and in memory, and posts
// their messages to the functions that it lists for them, as AWS does. It does not start where SQS_ENDPOINT is set, or no
// function has an sqs event.
export default class LocalSqs {
  #serverless;
  #options;
  #server;
  #client;
  #queues;
  #mappings = [];

  constructor(serverless, options) {
    this.#serverless = serverless;
    this.#options = options;
    this.hooks = {
      'before:offline:start:init': () => this.#start(),
      // Now the functions can be called.
      'after:offline:start:init': () => this.#map(),
      'offline:start:end': () => this.#stop(),
    };
  }

  async #start() {
    const { service, serviceDir } = this.#serverless;
    const { integerKey, readEnvironment, textKey } = await import('@disparo/contract');
    const environment = readEnvironment(process.env, serviceDir);
    const [listener] = listenersOf(service);
    if (environment.SQS_ENDPOINT || !listener) return;
    const port = environment.SQS_PORT === undefined ? 0 : integerKey(environment, 'SQS_PORT');
    const { openQueues } = await import('../../dist/services/sqs/open.js');
    const { announceSqs } = await import('../../dist/services/sqs/running.js');
    const region = textKey(environment, 'AWS_REGION');
    const opened = await openQueues({ region, port, resources: service.resources.Resources }).catch((error) => {
      // Serverless prints this one without a stack.
      throw error.name === 'CommandError' ? new this.#serverless.classes.Error(error.message) : error;
    });
    this.#server = opened.server;
    this.#client = opened.client;
    this.#queues = opened.queues;
    const endpoint = opened.server.url;
    const { name } = opened.queues.get(listener.queue);
    announceSqs({ endpoint, queue: name, region }, serviceDir);
    process.stdout.write(`SQS on this machine, for events: ${endpoint}, queue ${name}, region ${region}\n`);
  }

  async #map() {
    if (!this.#server) return;
    const { Mapping } = await import('../../dist/services/sqs/mapping.js');
    const region = await this.#client.config.region();
    for (const { name, queue, sqs } of listenersOf(this.#serverless.service))
      this.#mappings.push(
        new Mapping({
          client: this.#client,
          queue: this.#queues.get(queue),
          region,
          batchSize: sqs.batchSize ?? 10,
          windowS: sqs.maximumBatchingWindow ?? 0,
          concurrency: sqs.maximumConcurrency ?? 2,
          invoke: (event) => this.#invoke(name, event),
          say: (line) => process.stderr.write(`SQS on this machine: ${name}: ${line}\n`),
        }),
      );
  }

  async #invoke(name, event) {
    const { lambdaPort } = { ...this.#serverless.service.custom?.['serverless-offline'], ...this.#options };
    const url = `http://127.0.0.1:${lambdaPort}/2015-03-31/functions/${name}/invocations`;
    const answer = await fetch(url, { method: 'POST', body: JSON.stringify(event) });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`status ${answer.status}: ${text.slice(0, 300)}`);
    return text === '' ? undefined : JSON.parse(text);
  }

  async #stop() {
    await Promise.all(this.#mappings.map((mapping) => mapping.stop()));
    this.#client?.destroy();
    await this.#server?.close();
  }
}

/** The functions with an event for a queue of the resources: the names that they are invoked by, and the queue's id. */
function listenersOf(service) {
  return Object.values(service.functions ?? {}).flatMap(({ name, events = [] }) =>
    events.flatMap(({ sqs }) => {
      const [queue] = sqs?.arn?.['Fn::GetAtt'] ?? [];
      return queue === undefined ? [] : [{ name, queue, sqs }];
    }),
  );
}
