-- The registration data feed. Times are bench seconds since 2000-01-01T00:00:00Z, identifiers 16 hex digits.
CREATE TABLE IF NOT EXISTS rdp_nominations (operator TEXT PRIMARY KEY, fuel TEXT NOT NULL, provider TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rdp_feeds (
    provider TEXT NOT NULL, fuel TEXT NOT NULL, sequence INTEGER NOT NULL, heard REAL NOT NULL, PRIMARY KEY (provider, fuel));
CREATE TABLE IF NOT EXISTS rdp_files (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, provider TEXT NOT NULL, fuel TEXT NOT NULL, sequence INTEGER NOT NULL,
    kind TEXT NOT NULL, rows INTEGER NOT NULL, octets BLOB NOT NULL, state TEXT NOT NULL, reason TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS rdp_refreshes (
    number INTEGER PRIMARY KEY, provider TEXT NOT NULL, fuel TEXT NOT NULL, asked REAL NOT NULL, due REAL NOT NULL,
    reason TEXT NOT NULL, given REAL);
CREATE TABLE IF NOT EXISTS rdp_incidents (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, provider TEXT NOT NULL, fuel TEXT NOT NULL, kind TEXT NOT NULL, what TEXT NOT NULL,
    steps TEXT NOT NULL, state TEXT NOT NULL, resolution TEXT, prevention TEXT, resolved REAL);
CREATE TABLE IF NOT EXISTS registration_items (
    mpxn TEXT PRIMARY KEY, profile_class INTEGER, marker TEXT, supplier_given TEXT);
CREATE TABLE IF NOT EXISTS registration_disputes (
    number INTEGER PRIMARY KEY, mpxn TEXT NOT NULL, role TEXT NOT NULL, opened REAL NOT NULL, master TEXT NOT NULL,
    dcc_says TEXT, provider_says TEXT, provider_begins REAL, state TEXT NOT NULL, resolution TEXT);
