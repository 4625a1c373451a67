-- Where a user's receiving service is; user '' is the one for all who have none of their own.
CREATE TABLE IF NOT EXISTS receiving_addresses (user TEXT PRIMARY KEY, url TEXT NOT NULL);
-- Documents for users, signed, in the order in which they came about. Times are bench seconds since 2000.
CREATE TABLE IF NOT EXISTS outbox (
    number INTEGER PRIMARY KEY, user TEXT NOT NULL, request TEXT, kind TEXT NOT NULL, code TEXT NOT NULL, made REAL NOT NULL, due REAL NOT NULL,
    xml BLOB NOT NULL, state TEXT NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, ended REAL, problem TEXT NOT NULL DEFAULT '');
CREATE INDEX IF NOT EXISTS outbox_due ON outbox (state, user, due, number);
