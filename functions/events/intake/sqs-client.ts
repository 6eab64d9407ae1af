import type { SQSClient, SQSClientConfig } from '@aws-sdk/client-sqs';
import type { SqsConfig } from '../../platform/config.js';
import { awsSdk } from '../../platform/stores/aws-sdk.js';

/** The SDK of SQS, loaded at its first use. */
export const sqsSdk = () => awsSdk(() => import('@aws-sdk/client-sqs'));

/** A client of the SQS that holds this queue. */
export async function sqsClient(
  { endpoint, region, credentials }: SqsConfig,
  limits: Pick<SQSClientConfig, 'maxAttempts' | 'requestHandler'>,
): Promise<SQSClient> {
  const { SQSClient } = await sqsSdk();
  return new SQSClient({
    region,
    ...(endpoint !== undefined && { endpoint }),
    ...(credentials && { credentials }),
    // The URL of a queue has a host of its own, which need not be how we reach it.
    useQueueUrlAsEndpoint: false,
    ...limits,
  });
}
