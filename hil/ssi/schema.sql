-- The self-service page. Times are bench seconds since 2000-01-01T00:00:00Z, identifiers 16 hex digits; a token is kept as its SHA-256.
CREATE TABLE IF NOT EXISTS page_accounts (
    name TEXT PRIMARY KEY, user TEXT NOT NULL, administrator INTEGER NOT NULL, made_by TEXT NOT NULL, made REAL NOT NULL,
    reviewed REAL NOT NULL, closed REAL, digest TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS hub_orders (
    number INTEGER PRIMARY KEY, user TEXT NOT NULL, kind TEXT NOT NULL, month TEXT NOT NULL, postcode TEXT NOT NULL,
    hubs INTEGER NOT NULL, placed REAL NOT NULL);
CREATE TABLE IF NOT EXISTS archived_requests (
    request TEXT PRIMARY KEY, user TEXT NOT NULL, target TEXT NOT NULL, variant TEXT NOT NULL, received REAL NOT NULL,
    state TEXT NOT NULL, responded REAL, xml BLOB NOT NULL, response BLOB, archived REAL NOT NULL);
CREATE INDEX IF NOT EXISTS archived_requests_by_user ON archived_requests (user, received);
