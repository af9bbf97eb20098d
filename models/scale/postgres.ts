import type { SQL } from "bun";
import { type FileState, pathKey, sameState, timeTells } from "../store/files.ts";
import { type ReadFile, type Row, resultOf, type StoredResult, wordsOf } from "../store/store.ts";
import { StoreError } from "../store/store-error.ts";
import { bunFor } from "./bun.ts";
import { keepSecretsOf, redacted } from "./redact.ts";
import type { Entry, Results, ScorerFacts } from "./shared-results.ts";

/** Of the tables below; those of another version are not touched. */
const postgresVersion = 1;

/** Two workers that begin at once make the tables one after the other: any number that others do not use. */
const tablesLock = 0x41637574;

/** The tables of a store in SQLite, in a schema of their own; `acutance.pictures` is for people with SQL. */
const tables = `
CREATE SCHEMA acutance;
CREATE TABLE acutance.version (version integer NOT NULL);
CREATE TABLE acutance.scorers (id integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY, key text NOT NULL UNIQUE, model text NOT NULL, conditions jsonb NOT NULL);
CREATE TABLE acutance.files (path bytea PRIMARY KEY, size bigint NOT NULL, changed bigint, content bytea, error text, seen bigint NOT NULL);
CREATE INDEX files_by_content ON acutance.files (content);
CREATE TABLE acutance.results (
  scorer integer NOT NULL REFERENCES acutance.scorers (id), content bytea NOT NULL, result jsonb, reason text, error text,
  scored bigint NOT NULL, PRIMARY KEY (scorer, content)
);
CREATE TABLE acutance.features (scorer integer NOT NULL, content bytea NOT NULL, feature bytea NOT NULL, PRIMARY KEY (scorer, content));
CREATE VIEW acutance.pictures AS
SELECT encode(files.path, 'escape') AS path, size, changed, encode(files.content, 'hex') AS sha256, scorers.model,
  (result ->> 'score')::double precision AS score, (result -> 'interval' ->> 'low')::double precision AS low,
  (result -> 'interval' ->> 'high')::double precision AS high, result -> 'typicality' ->> 'word' AS typicality,
  (result ->> 'sharpness')::double precision AS sharpness, (result ->> 'width')::integer AS width,
  (result ->> 'height')::integer AS height, result -> 'reasons' AS reasons, coalesce(results.error, files.error) AS error,
  to_timestamp(results.scored / 1000.0) AS scored, scorers.id AS scorer
FROM acutance.files LEFT JOIN acutance.results ON results.content = files.content
LEFT JOIN acutance.scorers ON scorers.id = results.scorer;
INSERT INTO acutance.version VALUES (${postgresVersion});
`;

/** Connections of a worker. */
const mostConnections = 4;

/**
 * Opens a store of scores in PostgreSQL, making its tables in the schema `acutance` where there are none.
 * @throws StoreError, without credentials: the server is away or refuses us, or its tables are of another version; QueueError without Bun
 */
export async function openPostgres(url: string): Promise<Results> {
  keepSecretsOf(url);
  const { SQL } = bunFor("a store in PostgreSQL");
  const place = URL.canParse(url) ? `postgres://${new URL(url).host}${new URL(url).pathname}` : "postgres://…";
  const sql = new SQL({ url, max: mostConnections, onnotice: () => {} } as never);
  try {
    await explained(place, () => prepare(sql, place));
    return new PostgresResults(sql, place);
  } catch (error) {
    await sql.close().catch(() => {});
    throw error;
  }
}

async function prepare(sql: SQL, place: string): Promise<void> {
  await sql.begin(async (within) => {
    await within`SELECT pg_advisory_xact_lock(${tablesLock})`;
    const [{ there }] = await within`SELECT to_regclass('acutance.version') IS NOT NULL AS there`;
    if (!there) {
      await within.unsafe(tables);
      return;
    }
    const [row] = await within`SELECT version FROM acutance.version`;
    if (row?.version !== postgresVersion)
      throw new StoreError(
        `the store ${place} is of version ${row?.version}, this Acutance knows version ${postgresVersion}: use the Acutance that made it, or another database`,
      );
  });
}

/** What PostgreSQL and the way to it throw, as a sentence. */
async function explained<T>(place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (cause instanceof StoreError) throw cause;
    const { message, code, errno } = cause as Error & { code?: string; errno?: string };
    const state = String(errno ?? "");
    const why = /^(28|3D)/.test(state)
      ? `refuses us (${message}): give a user, a password and a database that it knows`
      : state === "53100"
        ? "has no room left: make some"
        : `cannot be used (${message || code}): see that it runs and that this machine may reach it`;
    throw new StoreError(redacted(`the store ${place} ${why}`), { cause });
  }
}

class PostgresResults implements Results {
  readonly place: string;
  readonly #sql: SQL;

  constructor(sql: SQL, place: string) {
    this.#sql = sql;
    this.place = place;
  }

  scorer({ key, model, conditions }: ScorerFacts): Promise<number> {
    return explained(this.place, async () => {
      const sql = this.#sql;
      await sql`INSERT INTO acutance.scorers (key, model, conditions) VALUES (${key}, ${model}, ${conditions}::text::jsonb) ON CONFLICT DO NOTHING`;
      const [row] = await sql`SELECT id FROM acutance.scorers WHERE key = ${key}`;
      return Number(row.id);
    });
  }

  content(path: string, state: FileState): Promise<Uint8Array | undefined> {
    return explained(this.place, async () => {
      const [row] = await this.#sql`SELECT size, changed, content FROM acutance.files WHERE path = ${pathKey(path)}`;
      if (!row?.content || row.changed === null) return undefined;
      const isSame = sameState(state, { size: Number(row.size), changed: Number(row.changed) });
      return isSame ? new Uint8Array(row.content) : undefined;
    });
  }

  result(scorer: number, content: Uint8Array): Promise<StoredResult | undefined> {
    return explained(this.place, async () => {
      const [row] = await this
        .#sql`SELECT result::text AS result, reason, error FROM acutance.results WHERE scorer = ${scorer} AND content = ${content}`;
      return row && resultOf(row as Row);
    });
  }

  put(scorer: number, entries: readonly Entry[]): Promise<void> {
    return explained(this.place, () =>
      this.#sql.begin(async (sql) => {
        // In one order, so that two workers never wait for each other.
        const sorted = entries.toSorted(([a], [b]) => Buffer.compare(a.content, b.content));
        // Sent one behind the other, without waiting for each answer.
        await Promise.all(
          sorted.flatMap(([{ path, state, content }, result]) => {
            const [[text, reason, error], feature] = wordsOf(result);
            const row = sql`INSERT INTO acutance.results (scorer, content, result, reason, error, scored)
              VALUES (${scorer}, ${content}, ${text}::text::jsonb, ${reason}, ${error}, ${Date.now()})
              ON CONFLICT (scorer, content) DO UPDATE SET result = excluded.result, reason = excluded.reason, error = excluded.error, scored = excluded.scored`;
            const numbers = feature && [
              sql`INSERT INTO acutance.features VALUES (${scorer}, ${content}, ${feature}) ON CONFLICT (scorer, content) DO UPDATE SET feature = excluded.feature`,
            ];
            return [row, ...(numbers ?? []), noteFile(sql, { path, state, content })];
          }),
        );
      }),
    );
  }

  noteFile(file: ReadFile): Promise<void> {
    return explained(this.place, () => noteFile(this.#sql, file));
  }

  noteUnread(path: string, state: FileState | undefined, error: string): Promise<void> {
    return explained(this.place, async () => {
      await this.#sql`INSERT INTO acutance.files (path, size, changed, content, error, seen)
        VALUES (${pathKey(path)}, ${state?.size ?? 0}, NULL, NULL, ${error}, ${Date.now()})
        ON CONFLICT (path) DO UPDATE SET size = excluded.size, changed = NULL, content = NULL, error = excluded.error, seen = excluded.seen`;
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sql.close();
  }
}

async function noteFile(sql: SQL, { path, state, content }: ReadFile): Promise<void> {
  await sql`INSERT INTO acutance.files (path, size, changed, content, error, seen)
    VALUES (${pathKey(path)}, ${state.size}, ${timeTells(state) ? state.changed : null}, ${content}, NULL, ${Date.now()})
    ON CONFLICT (path) DO UPDATE SET size = excluded.size, changed = excluded.changed, content = excluded.content, error = NULL, seen = excluded.seen`;
}
