CREATE TABLE attempts (
    id BLOB NOT NULL PRIMARY KEY,
    round BLOB NOT NULL,
    check_id BLOB NOT NULL,
    vantage TEXT NOT NULL,
    profile TEXT NOT NULL,
    experiment TEXT NOT NULL,
    address TEXT,
    sequence INTEGER NOT NULL,
    started_at INTEGER NOT NULL,
    elapsed_us INTEGER NOT NULL,
    clock_offset_us INTEGER,
    facts TEXT NOT NULL,
    certificates BLOB
);
CREATE INDEX attempts_round ON attempts (round);

-- The chains' certificates, each once; attempts.certificates is a list of digests of 32 bytes.
CREATE TABLE certificates (
    digest BLOB NOT NULL PRIMARY KEY,
    der BLOB NOT NULL
);

CREATE TABLE tally (
    vantage TEXT NOT NULL PRIMARY KEY,
    attempts INTEGER NOT NULL
);
