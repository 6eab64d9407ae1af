const QUEUE = 'EVENTS_SQS_QUEUE';
const KEYS = 'AWS_ACCESS_KEY_ID';

/**
 * What only an operator can change. Everything else is waited for: a closed port, an unknown host, throttling, a clock that is
 * wrong, an error of SQS itself. https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/CommonErrors.html
 */
const REFUSALS: Record<string, [variable: string, problem: string]> = {
  QueueDoesNotExist: [QUEUE, 'there is no queue of this name in this region'],
  NonExistentQueue: [QUEUE, 'there is no queue of this name in this region'],
  AccessDenied: [QUEUE, 'these keys may not take from this queue'],
  AccessDeniedException: [QUEUE, 'these keys may not take from this queue'],
  InvalidClientTokenId: [KEYS, 'AWS does not know this key'],
  UnrecognizedClientException: [KEYS, 'AWS does not know this key'],
  SignatureDoesNotMatch: [KEYS, 'AWS_SECRET_ACCESS_KEY does not belong to this key'],
  InvalidSignatureException: [KEYS, 'AWS_SECRET_ACCESS_KEY does not belong to this key'],
  IncompleteSignature: [KEYS, 'the key or its secret has a wrong form'],
  MissingAuthenticationToken: [KEYS, 'is not set'],
  OptInRequired: [KEYS, 'its account has no SQS'],
  ExpiredToken: [KEYS, 'the session of AWS_SESSION_TOKEN is over'],
  ExpiredTokenException: [KEYS, 'the session of AWS_SESSION_TOKEN is over'],
  CredentialsProviderError: [KEYS, 'is not set, and the SDK finds no other credentials'],
};

/** What SQS or its SDK refuses for good, with the variable to change; undefined for what is worth a retry. */
export function refusedBySqs(error: unknown, queue: string): { variable: string; problem: string } | undefined {
  // Older protocols write `AWS.SimpleQueueService.NonExistentQueue`.
  const name = (error as { name?: unknown }).name;
  const [variable, problem] = (typeof name === 'string' && REFUSALS[name.split('.').at(-1) ?? '']) || [];
  if (variable === undefined || problem === undefined) return undefined;
  return { variable, problem: variable === QUEUE ? `${problem}: "${queue}"` : problem };
}
