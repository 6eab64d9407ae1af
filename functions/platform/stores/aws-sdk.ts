/**
 * Loads a client of the AWS SDK at its first use: it is large, and most processes never need it. At its first client the SDK
 * warns on standard error about Node 20, which our `engines` allow; what we need works there.
 */
export async function awsSdk<T>(load: () => Promise<T>): Promise<T> {
  process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';
  return load();
}
