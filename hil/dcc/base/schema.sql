-- What the DCC keeps over a restart. Times are bench seconds since 2000-01-01T00:00:00Z, entity identifiers 16 hex digits.
CREATE TABLE IF NOT EXISTS devices (
    eui TEXT PRIMARY KEY, type TEXT NOT NULL, status TEXT NOT NULL, since REAL NOT NULL,
    manufacturer TEXT NOT NULL DEFAULT '', model TEXT NOT NULL DEFAULT '', version TEXT NOT NULL DEFAULT '',
    firmware TEXT NOT NULL DEFAULT '', esme_variant TEXT NOT NULL DEFAULT '', notified_by TEXT,
    import_mpxn TEXT, secondary_mpan TEXT, export_mpan TEXT, postcode TEXT, premises TEXT, uprn TEXT,
    domestic INTEGER NOT NULL DEFAULT 1);
CREATE INDEX IF NOT EXISTS devices_by_type ON devices (type);
CREATE INDEX IF NOT EXISTS devices_by_model ON devices (manufacturer, model, firmware);
CREATE INDEX IF NOT EXISTS devices_by_import ON devices (import_mpxn);
CREATE INDEX IF NOT EXISTS devices_by_secondary ON devices (secondary_mpan);
CREATE INDEX IF NOT EXISTS devices_by_export ON devices (export_mpan);
CREATE INDEX IF NOT EXISTS devices_by_postcode ON devices (postcode);
CREATE INDEX IF NOT EXISTS devices_by_uprn ON devices (uprn);
-- Which kind of Type 2 Device it is (IHD, CAD): GBCS does not tell them apart, the CHF device log does.
CREATE TABLE IF NOT EXISTS type_2_kinds (eui TEXT PRIMARY KEY, kind TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS associations (
    device TEXT NOT NULL, role TEXT NOT NULL, other TEXT NOT NULL, PRIMARY KEY (device, role, other));
CREATE INDEX IF NOT EXISTS associations_by_other ON associations (other, role);
CREATE TABLE IF NOT EXISTS held_parties (
    device TEXT NOT NULL, party_role INTEGER NOT NULL, party TEXT NOT NULL, PRIMARY KEY (device, party_role));
CREATE TABLE IF NOT EXISTS audit (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, device TEXT NOT NULL, request TEXT, user TEXT,
    from_status TEXT, to_status TEXT, reason TEXT NOT NULL);
CREATE INDEX IF NOT EXISTS audit_by_device ON audit (device);
CREATE TABLE IF NOT EXISTS certified_products (
    manufacturer TEXT NOT NULL, model TEXT NOT NULL, firmware TEXT NOT NULL, type TEXT NOT NULL,
    status TEXT NOT NULL, PRIMARY KEY (manufacturer, model, firmware, type));
CREATE TABLE IF NOT EXISTS registration (
    mpxn TEXT NOT NULL, role TEXT NOT NULL, user TEXT NOT NULL, begins REAL NOT NULL, PRIMARY KEY (mpxn, role, begins));
CREATE TABLE IF NOT EXISTS users (
    eui TEXT PRIMARY KEY, role TEXT NOT NULL, suspended TEXT);
CREATE TABLE IF NOT EXISTS volume_thresholds (
    user TEXT NOT NULL, service TEXT NOT NULL, threshold INTEGER NOT NULL, window_s REAL NOT NULL, PRIMARY KEY (user, service));
CREATE TABLE IF NOT EXISTS volumes (user TEXT NOT NULL, service TEXT NOT NULL, time REAL NOT NULL);
CREATE INDEX IF NOT EXISTS volumes_by_user ON volumes (user, service, time);
CREATE INDEX IF NOT EXISTS volumes_by_service ON volumes (service, time);
CREATE TABLE IF NOT EXISTS quarantine (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, user TEXT, direction TEXT NOT NULL, request TEXT, reason TEXT NOT NULL,
    octets BLOB NOT NULL, state TEXT NOT NULL);
-- The highest counter used, as 8 octets: SQLite's integers have a sign, counters have none.
CREATE TABLE IF NOT EXISTS counters (originator TEXT PRIMARY KEY, value BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS requests (
    request TEXT PRIMARY KEY, user TEXT NOT NULL, target TEXT NOT NULL, variant TEXT NOT NULL, received REAL NOT NULL,
    state TEXT NOT NULL, xml BLOB NOT NULL, pre_command BLOB, pre_command_at REAL, command BLOB, command_id TEXT UNIQUE,
    returned REAL, sent REAL, deadline REAL, response BLOB, responded REAL, delivered REAL, chf TEXT, sequence INTEGER, execute_at REAL);
CREATE INDEX IF NOT EXISTS requests_by_state ON requests (state);
CREATE INDEX IF NOT EXISTS requests_by_user ON requests (user, received);
CREATE INDEX IF NOT EXISTS requests_by_target ON requests (target, state);
CREATE TABLE IF NOT EXISTS strays (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, chf TEXT, kind TEXT NOT NULL, message TEXT, reason TEXT NOT NULL, octets BLOB NOT NULL);
CREATE TABLE IF NOT EXISTS alerts (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, kind TEXT NOT NULL, code TEXT NOT NULL, device TEXT NOT NULL, party TEXT,
    identifier TEXT UNIQUE, state TEXT NOT NULL, reason TEXT NOT NULL, clock_start REAL NOT NULL, delivered REAL,
    throttled_sequence INTEGER, throttled_count INTEGER, octets BLOB, detail TEXT NOT NULL DEFAULT '{}');
CREATE INDEX IF NOT EXISTS alerts_by_device ON alerts (device, code, time);
CREATE INDEX IF NOT EXISTS alerts_by_party ON alerts (party, state);
CREATE TABLE IF NOT EXISTS outages (
    chf TEXT PRIMARY KEY, began REAL NOT NULL, heard REAL NOT NULL, due REAL NOT NULL, told INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS device_logs (
    chf TEXT NOT NULL, version INTEGER NOT NULL, time REAL NOT NULL, source TEXT NOT NULL, backup_time TEXT NOT NULL,
    extended_pan_id TEXT NOT NULL, entries TEXT NOT NULL, PRIMARY KEY (chf, version));
-- Which Devices a Gas Proxy Function talks to (GCS62); of its data nothing is kept [191].
CREATE TABLE IF NOT EXISTS gpf_logs (
    gpf TEXT NOT NULL, device TEXT NOT NULL, type INTEGER NOT NULL, time REAL NOT NULL, PRIMARY KEY (gpf, device));
CREATE TABLE IF NOT EXISTS device_certificates (device TEXT NOT NULL, usage TEXT NOT NULL, der BLOB NOT NULL, PRIMARY KEY (device, usage));
CREATE TABLE IF NOT EXISTS hubs (
    chf TEXT PRIMARY KEY, gpf TEXT NOT NULL, boots INTEGER NOT NULL, first_contact REAL NOT NULL, last_contact REAL NOT NULL);
CREATE TABLE IF NOT EXISTS store (key TEXT PRIMARY KEY, value BLOB NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS schedules (
    number INTEGER PRIMARY KEY, user TEXT NOT NULL, device TEXT NOT NULL, variant TEXT NOT NULL, frequency TEXT NOT NULL,
    xml BLOB NOT NULL, created REAL NOT NULL, first_run REAL NOT NULL, ends REAL, runs INTEGER NOT NULL DEFAULT 0, next_run REAL,
    removed REAL, removal TEXT);
CREATE INDEX IF NOT EXISTS schedules_by_user ON schedules (user, removed);
CREATE INDEX IF NOT EXISTS schedules_by_run ON schedules (next_run);
CREATE TABLE IF NOT EXISTS schedule_runs (
    request TEXT PRIMARY KEY, schedule INTEGER NOT NULL, due REAL NOT NULL, refusal TEXT);
CREATE TABLE IF NOT EXISTS certified_images (
    manufacturer TEXT NOT NULL, model TEXT NOT NULL, firmware TEXT NOT NULL, type TEXT NOT NULL, hash TEXT NOT NULL,
    PRIMARY KEY (manufacturer, model, firmware, type));
CREATE TABLE IF NOT EXISTS firmware_campaigns (
    request TEXT PRIMARY KEY, user TEXT NOT NULL, version TEXT NOT NULL, hash TEXT NOT NULL, image BLOB NOT NULL,
    received REAL NOT NULL, deadline REAL NOT NULL);
CREATE TABLE IF NOT EXISTS firmware_targets (
    request TEXT NOT NULL, device TEXT NOT NULL, chf TEXT NOT NULL, state TEXT NOT NULL, posted INTEGER NOT NULL DEFAULT 0,
    at_hub INTEGER NOT NULL DEFAULT 0, total INTEGER NOT NULL, reason TEXT, changed REAL NOT NULL, PRIMARY KEY (request, device));
CREATE TABLE IF NOT EXISTS wan_matrix (
    postcode TEXT NOT NULL, uprn TEXT NOT NULL, region TEXT NOT NULL, covered INTEGER NOT NULL, technology TEXT NOT NULL,
    likelihood TEXT NOT NULL, anticipated TEXT, equipment TEXT, PRIMARY KEY (postcode, uprn, region));
CREATE TABLE IF NOT EXISTS hub_reports (
    number INTEGER PRIMARY KEY, time REAL NOT NULL, chf TEXT NOT NULL, user TEXT NOT NULL, request TEXT NOT NULL, variant TEXT NOT NULL,
    mpxn TEXT, details TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS customer_numbers (request TEXT PRIMARY KEY, number TEXT NOT NULL);
CREATE TABLE IF NOT EXISTS connections (
    number INTEGER PRIMARY KEY, user TEXT NOT NULL, means TEXT NOT NULL, since REAL NOT NULL, terms TEXT NOT NULL, edition INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS connections_by_user ON connections (user);
CREATE TABLE IF NOT EXISTS connection_traffic (
    connection INTEGER NOT NULL, time REAL NOT NULL, direction TEXT NOT NULL, octets INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS connection_traffic_by_time ON connection_traffic (connection, direction, time);
CREATE TABLE IF NOT EXISTS exempt_areas (area TEXT PRIMARY KEY, statement TEXT NOT NULL);
-- Anomaly thresholds of the DCC itself, beside those of users (volume_thresholds).
CREATE TABLE IF NOT EXISTS dcc_volume_thresholds (service TEXT PRIMARY KEY, threshold INTEGER NOT NULL, window_s REAL NOT NULL);
CREATE TABLE IF NOT EXISTS attribute_limits (
    service TEXT NOT NULL, element TEXT NOT NULL, minimum TEXT, maximum TEXT, PRIMARY KEY (service, element));
