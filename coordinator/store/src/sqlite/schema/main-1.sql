CREATE TABLE heartbeat (id INTEGER NOT NULL PRIMARY KEY, beats INTEGER NOT NULL);

CREATE TABLE join_tokens (
    id TEXT NOT NULL PRIMARY KEY,
    secret_sha256 BLOB NOT NULL,
    labels TEXT NOT NULL,
    uses_left INTEGER NOT NULL,
    expires_at INTEGER NOT NULL,
    created_at INTEGER NOT NULL,
    created_by TEXT NOT NULL
);

CREATE TABLE vantages (
    name TEXT NOT NULL PRIMARY KEY,
    given_labels TEXT NOT NULL,
    own_labels TEXT NOT NULL,
    standing TEXT NOT NULL,
    version TEXT NOT NULL,
    enrolled_at INTEGER NOT NULL,
    last_seen INTEGER,
    egress TEXT,
    clock_offset_ms INTEGER,
    capabilities TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    token_id TEXT NOT NULL,
    certificate_serial TEXT NOT NULL,
    certificate_key_sha256 BLOB NOT NULL,
    certificate_not_after INTEGER NOT NULL
);

CREATE TABLE operator_tokens (
    name TEXT NOT NULL PRIMARY KEY,
    role TEXT NOT NULL,
    secret_sha256 BLOB NOT NULL UNIQUE,
    created_at INTEGER NOT NULL
);

CREATE TABLE audit (
    id BLOB NOT NULL PRIMARY KEY,
    at INTEGER NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    object TEXT NOT NULL,
    detail TEXT NOT NULL
);
CREATE INDEX audit_at ON audit (at);

CREATE TABLE checks (
    id BLOB NOT NULL PRIMARY KEY,
    name TEXT UNIQUE,
    revision INTEGER NOT NULL,
    body TEXT NOT NULL
);

-- Checks and vantages as they stood when a round was opened, each wording once.
CREATE TABLE snapshots (
    digest BLOB NOT NULL PRIMARY KEY,
    body TEXT NOT NULL,
    last_used INTEGER NOT NULL
);
CREATE INDEX snapshots_last_used ON snapshots (last_used);

CREATE TABLE rounds (
    id BLOB NOT NULL PRIMARY KEY,
    check_snapshot BLOB NOT NULL,
    started_at INTEGER NOT NULL,
    deadline INTEGER NOT NULL,
    adhoc INTEGER NOT NULL,
    closed_at INTEGER
);
CREATE INDEX rounds_open ON rounds (started_at) WHERE closed_at IS NULL;
CREATE INDEX rounds_closed ON rounds (started_at) WHERE closed_at IS NOT NULL;

CREATE TABLE shares (
    round BLOB NOT NULL,
    vantage TEXT NOT NULL,
    snapshot BLOB NOT NULL,
    clock_offset_ms INTEGER,
    state TEXT NOT NULL,
    PRIMARY KEY (round, vantage)
) WITHOUT ROWID;

CREATE TABLE spools (
    vantage TEXT NOT NULL,
    boot BLOB NOT NULL,
    settled TEXT NOT NULL,
    PRIMARY KEY (vantage, boot)
) WITHOUT ROWID;

CREATE TABLE verdicts (
    round BLOB NOT NULL,
    revision INTEGER NOT NULL,
    check_id BLOB,
    started_at INTEGER NOT NULL,
    recorded_at INTEGER NOT NULL,
    body TEXT NOT NULL,
    PRIMARY KEY (round, revision)
);
CREATE INDEX verdicts_check ON verdicts (check_id, started_at);
CREATE INDEX verdicts_started_at ON verdicts (started_at);

CREATE TABLE known_keys (
    target TEXT NOT NULL,
    key_sha256 TEXT NOT NULL,
    first_seen INTEGER NOT NULL,
    PRIMARY KEY (target, key_sha256)
) WITHOUT ROWID;
