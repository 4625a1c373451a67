-- Performance reports: what the DCC says about a month, and its providers' thresholds. Months are YYYY-MM.
CREATE TABLE IF NOT EXISTS measure_explanations (
    month TEXT NOT NULL, measure INTEGER NOT NULL, cause TEXT NOT NULL, steps TEXT NOT NULL, given REAL NOT NULL,
    PRIMARY KEY (month, measure));
CREATE TABLE IF NOT EXISTS provider_thresholds (
    number INTEGER PRIMARY KEY, provider TEXT NOT NULL, measure TEXT NOT NULL, threshold TEXT NOT NULL, proposed REAL NOT NULL,
    consulted_until REAL NOT NULL, published REAL, reason TEXT NOT NULL);
