import { CreateQueueCommand, GetQueueAttributesCommand, type SQSClient } from '@aws-sdk/client-sqs';

type Properties = Record<string, unknown> & { QueueName: string; RedrivePolicy?: Redrive };
type Redrive = { deadLetterTargetArn: { 'Fn::GetAtt': [queue: string, 'Arn'] }; maxReceiveCount: number };

/** Resources of a template of CloudFormation, by their logical ids. */
export type Resources = Record<string, { Type: string; Properties?: Record<string, unknown> }>;

/** A queue as its template describes it, and as it is reached. */
export interface MadeQueue {
  name: string;
  url: string;
  arn: string;
}

/**
 * Makes the queues of a template. Returns them by their logical ids. A queue that exists with other attributes is an error.
 * Attributes are given as they stand there, so only those that SQS has too.
 */
export async function makeQueues(client: SQSClient, resources: Resources): Promise<Map<string, MadeQueue>> {
  const queues = Object.entries(resources).filter(([, { Type }]) => Type === 'AWS::SQS::Queue');
  const described = queues.map(([id, { Properties }]) => [id, Properties as Properties] as const);
  // A dead queue has to be there before the queue that names it.
  const order = [...described].sort(
    ([, one], [, other]) => Number('RedrivePolicy' in one) - Number('RedrivePolicy' in other),
  );
  const made = new Map<string, MadeQueue>();
  for (const [id, { QueueName, RedrivePolicy, ...rest }] of order) {
    const attributes = Object.entries(rest).map(([name, value]) => [name, String(value)] as const);
    const redrive = RedrivePolicy ? { RedrivePolicy: JSON.stringify(redriveOf(RedrivePolicy, made)) } : {};
    const Attributes = { ...Object.fromEntries(attributes), ...redrive };
    const { QueueUrl = '' } = await client.send(new CreateQueueCommand({ QueueName, Attributes }));
    const asked = await client.send(new GetQueueAttributesCommand({ QueueUrl, AttributeNames: ['QueueArn'] }));
    made.set(id, { name: QueueName, url: QueueUrl, arn: asked.Attributes?.QueueArn ?? '' });
  }
  return made;
}

function redriveOf({ deadLetterTargetArn, maxReceiveCount }: Redrive, made: Map<string, MadeQueue>) {
  const [id] = deadLetterTargetArn['Fn::GetAtt'];
  const dead = made.get(id);
  if (!dead) throw new Error(`RedrivePolicy: there is no queue ${id} that has none itself`);
  return { deadLetterTargetArn: dead.arn, maxReceiveCount };
}
