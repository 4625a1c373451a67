-- Security. Times are bench seconds since 2000-01-01T00:00:00Z, identifiers 16 hex digits.
CREATE TABLE IF NOT EXISTS user_entry (
    eui TEXT NOT NULL, step TEXT NOT NULL, time REAL NOT NULL, evidence TEXT NOT NULL, PRIMARY KEY (eui, step));
CREATE TABLE IF NOT EXISTS security_events (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, source TEXT NOT NULL, message TEXT, detail TEXT NOT NULL,
    incident INTEGER);
CREATE INDEX IF NOT EXISTS security_events_by_source ON security_events (kind, source, time);
