-- Demand management. Months are YYYY-MM, identifiers 16 hex digits.
CREATE TABLE IF NOT EXISTS forecasts (
    user TEXT NOT NULL, service TEXT NOT NULL, month TEXT NOT NULL, requests INTEGER NOT NULL, given REAL NOT NULL,
    PRIMARY KEY (user, service, month));
CREATE TABLE IF NOT EXISTS enrolled_counts (
    user TEXT NOT NULL, month TEXT NOT NULL, systems INTEGER NOT NULL, counted REAL NOT NULL, PRIMARY KEY (user, month));
