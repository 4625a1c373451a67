-- Service management. Times are bench seconds since 2000-01-01T00:00:00Z.
CREATE TABLE IF NOT EXISTS maintenance_items (
    number INTEGER PRIMARY KEY, what TEXT NOT NULL, begins REAL NOT NULL, ends REAL NOT NULL, disrupts INTEGER NOT NULL,
    planned REAL NOT NULL, agreed TEXT, published REAL);
CREATE TABLE IF NOT EXISTS interruptions (number INTEGER PRIMARY KEY, began REAL NOT NULL, ended REAL, what TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS releases (
    number INTEGER PRIMARY KEY, kind TEXT NOT NULL, changes TEXT NOT NULL, planned REAL NOT NULL, at REAL NOT NULL, state TEXT NOT NULL);
