-- Incidents. Times are bench seconds since 2000-01-01T00:00:00Z, identifiers 16 hex digits; an empty user is the DCC itself.
CREATE TABLE IF NOT EXISTS incident_diagnostics (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, user TEXT NOT NULL, device TEXT NOT NULL, findings TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS incidents (
    number INTEGER PRIMARY KEY, raised REAL NOT NULL, user TEXT NOT NULL, summary TEXT NOT NULL, area TEXT NOT NULL,
    visit INTEGER NOT NULL, device TEXT, request TEXT, diagnostic INTEGER, category INTEGER NOT NULL, state TEXT NOT NULL,
    owner TEXT NOT NULL, rule TEXT NOT NULL, shared INTEGER NOT NULL, due REAL NOT NULL, touched REAL NOT NULL, resolved REAL,
    closed REAL, major INTEGER NOT NULL DEFAULT 0, security INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS incident_parties (incident INTEGER NOT NULL, party TEXT NOT NULL, PRIMARY KEY (incident, party));
CREATE TABLE IF NOT EXISTS incident_entries (
    number INTEGER PRIMARY KEY, incident INTEGER NOT NULL, time REAL NOT NULL, who TEXT NOT NULL, kind TEXT NOT NULL,
    to_party TEXT, text TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS major_incidents (
    incident INTEGER PRIMARY KEY, declared REAL NOT NULL, responsible_manager TEXT NOT NULL, dcc_manager TEXT NOT NULL,
    report TEXT, reported REAL);
CREATE TABLE IF NOT EXISTS desk_contacts (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, channel TEXT NOT NULL, party TEXT NOT NULL, user TEXT, kind TEXT NOT NULL,
    text TEXT NOT NULL, incident INTEGER, answer TEXT, answered REAL);
