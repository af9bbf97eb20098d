import { bunFor } from "./bun.ts";
import { keepSecret } from "./redact.ts";

/** Whether a name is one of an object in S3. */
export const isS3 = (name: string) => /^s3:\/\//i.test(name);

/** Bucket and key of `s3://bucket/key`. */
export function partsOf(name: string): { readonly bucket: string; readonly key: string } {
  const [, bucket = "", key = ""] = /^s3:\/\/([^/]*)\/?(.*)$/is.exec(name) ?? [];
  return { bucket, key };
}

type Client = InstanceType<typeof import("bun").S3Client>;

const clients = new Map<string, Client>();

/** The client of a bucket, by the credentials of the environment (AWS_… or S3_…). @throws QueueError under another runtime */
export function clientOf(bucket: string): Client {
  let client = clients.get(bucket);
  if (!client) {
    for (const name of ["AWS_SECRET_ACCESS_KEY", "S3_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "S3_SESSION_TOKEN"])
      keepSecret(process.env[name]);
    client = new (bunFor("S3").S3Client)({ bucket });
    clients.set(bucket, client);
  }
  return client;
}

/** Names of the objects whose keys begin so, a page of 1000 at a time. */
export async function* listS3(name: string, signal?: AbortSignal): AsyncGenerator<string> {
  const { bucket, key: start } = partsOf(name);
  let continuationToken: string | undefined;
  do {
    signal?.throwIfAborted();
    const page = await clientOf(bucket).list({ prefix: start, ...(continuationToken && { continuationToken }) });
    for (const { key, size } of page.contents ?? [])
      if (size !== 0 && !key.endsWith("/")) yield `s3://${bucket}/${key}`;
    continuationToken = page.isTruncated ? page.nextContinuationToken : undefined;
  } while (continuationToken);
}
