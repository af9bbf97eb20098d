/** Texts that are told nobody, such as passwords that were given to this process. */
const secrets = new Set<string>();

/** Secrets shorter than this would be found in ordinary words. */
const leastLength = 4;

/** Schemes whose URLs hold nothing behind the host that has an @ in it. */
const servers = /\b((?:redis|rediss|valkey|valkeys|postgres|postgresql):\/\/)[^\s"'`]*@/gi;
const anyUser = /\b([a-z][a-z\d+.-]*:\/\/)[^\s/?#"'`]*@/gi;
const inQuery =
  /([?&](?:pass(?:word|wd)?|token|secret|sig|signature|key|api_?key|access_token|x-amz-(?:signature|credential|security-token)|x-goog-(?:signature|credential))=)[^&#\s"'`]*/gi;

/** Has a text, as it is and as it stands in URLs, left out of everything that {@link redacted} gives. */
export function keepSecret(text: string | undefined): void {
  if (text === undefined || text.length < leastLength) return;
  secrets.add(text);
  secrets.add(encodeURIComponent(text));
}

/** Keeps the password of a URL secret; what is no URL has none. */
export function keepSecretsOf(url: string): void {
  if (!URL.canParse(url)) return;
  const { password } = new URL(url);
  keepSecret(password);
  try {
    keepSecret(decodeURIComponent(password));
  } catch {
    // It is no encoding, and was kept as it is.
  }
}

/**
 * A text without credentials: names and passwords in URLs, signatures and tokens in their queries, and what {@link keepSecret} was told.
 * Everything that a queue, a worker or their errors say goes through it.
 */
export function redacted(text: string): string {
  let clean = text.replace(servers, "$1…@").replace(anyUser, "$1…@").replace(inQuery, "$1…");
  for (const secret of [...secrets].sort((a, b) => b.length - a.length)) clean = clean.replaceAll(secret, "…");
  return clean;
}
