/** "Acut" in ASCII: what tells a store from other databases. */
export const applicationId = 0x41637574;

/** Of the tables below; a store of another version is not touched. */
export const storeVersion = 1;

/*
 * A file is known by its path, size and time of change; a result belongs to a content, which copies and moved files share, and to what scored it.
 * `changed` is NULL where a later change could have the same time; such a file is looked into again.
 */
export const tables = `
CREATE TABLE scorers (
  id INTEGER PRIMARY KEY,
  key TEXT NOT NULL UNIQUE,          -- SHA-256 of conditions
  model TEXT NOT NULL,               -- name
  conditions TEXT NOT NULL           -- JSON: digests of the model's and the reasons' files or of a formula's parameters, how pictures are shown and decoded
) STRICT;
CREATE TABLE files (
  path BLOB PRIMARY KEY,             -- bytes of the absolute path
  size INTEGER NOT NULL,             -- bytes
  changed INTEGER,                   -- microseconds since 1970, UTC
  content BLOB,                      -- SHA-256; NULL where it could not be read
  error TEXT,                        -- why it could not be read
  seen INTEGER NOT NULL              -- milliseconds since 1970
) STRICT, WITHOUT ROWID;
CREATE INDEX files_by_content ON files (content);
CREATE TABLE results (
  scorer INTEGER NOT NULL REFERENCES scorers (id),
  content BLOB NOT NULL,
  result TEXT,                       -- JSON: score, interval, typicality, reasons, width, height, sharpness …
  reason TEXT,                       -- of a picture that has no score: the word for why
  error TEXT,                        -- and the sentence
  scored INTEGER NOT NULL,           -- milliseconds since 1970
  PRIMARY KEY (scorer, content)
) STRICT, WITHOUT ROWID;
CREATE TABLE features (
  scorer INTEGER NOT NULL,
  content BLOB NOT NULL,
  feature BLOB NOT NULL,             -- f32, little-endian
  PRIMARY KEY (scorer, content)
) STRICT;
CREATE VIEW pictures AS
SELECT CAST(files.path AS TEXT) AS path, size, changed, lower(hex(files.content)) AS sha256, scorers.model AS model,
  result ->> '$.score' AS score, result ->> '$.interval.low' AS low, result ->> '$.interval.high' AS high,
  result ->> '$.typicality.word' AS typicality, result ->> '$.sharpness' AS sharpness, result ->> '$.width' AS width,
  result ->> '$.height' AS height, result -> '$.reasons' AS reasons, coalesce(results.error, files.error) AS error,
  datetime(results.scored / 1000, 'unixepoch') AS scored, scorers.id AS scorer
FROM files LEFT JOIN results ON results.content = files.content LEFT JOIN scorers ON scorers.id = results.scorer;
`;

/**
 * Tables that came later; a store without them gets them, and those who do not know them leave them alone. A look is what culling compares of a
 * picture, which no scorer has a part in; copies are the small ones of contact sheets.
 */
export const laterTables = `
CREATE TABLE IF NOT EXISTS looks (
  content BLOB NOT NULL,
  conditions TEXT NOT NULL,          -- JSON: version of the measures, how pictures are decoded
  look TEXT,                         -- JSON: hash, outline, sharpness, exposure, capture time …
  reason TEXT,                       -- of a picture that cannot be looked at: the word for why
  error TEXT,                        -- and the sentence
  PRIMARY KEY (content, conditions)
) STRICT, WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS copies (
  content BLOB NOT NULL,
  kind TEXT NOT NULL,                -- format and longer side
  image BLOB NOT NULL,
  PRIMARY KEY (content, kind)
) STRICT;
`;
