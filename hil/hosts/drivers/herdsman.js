// An unmodified zigbee-herdsman (ember or zstack) on a dongle, verb by verb.
//
// node herdsman.js JSON FOLDER: FOLDER has the npm packages, JSON is {adapter, path, second, device, code, channel, next_channel, folder}.
// Each line on stdout is a JSON object: {verb, ok, said} after a verb, {ask} where the rig has to act first.
"use strict";

const {execFile} = require("node:child_process");
const fs = require("node:fs");
const path = require("node:path");
const {createRequire} = require("node:module");

const options = JSON.parse(process.argv[2]);
const load = createRequire(path.join(process.argv[3], "package.json"));
const {Controller, setLogger} = load("zigbee-herdsman");
const DEVICE = `0x${options.device.replaceAll(":", "")}`;
const SMART_ENERGY = 0x0109;
const METERING = 0x0702;
const PATIENCE_MS = 120000;
const ABSENT = Symbol("absent");

// This host drops every profile that it does not list, Smart Energy among them: one of a vendor's in its list is taken for it.
load("zigbee-herdsman/dist/zspec/consts.js").CUSTOM_CONTROL4_PROFILE_ID = SMART_ENERGY;
const log = (level) => (message, namespace) =>
    process.stderr.write(`${level} ${namespace}: ${typeof message === "function" ? message() : message}\n`);
setLogger({debug: () => {}, info: log("info"), warning: log("warning"), error: log("error")});

const tell = (one) => process.stdout.write(`${JSON.stringify(one)}\n`);

function controller(port, channel, name) {
    const folder = path.join(options.folder, name);
    fs.mkdirSync(folder, {recursive: true});
    const made = new Controller({
        network: {panID: 0x1a62, extendedPanID: [1, 2, 3, 4, 5, 6, 7, 8], channelList: [channel]},
        serialPort: {path: port, adapter: options.adapter, baudRate: 115200, rtscts: false},
        transport: {path: port, adapter: options.adapter, baudRate: 115200, rtscts: false},
        databasePath: path.join(folder, "database.db"),
        databaseBackupPath: path.join(folder, "database.db.backup"),
        backupPath: path.join(folder, "coordinator_backup.json"),
        adapter: {disableLED: false},
        acceptJoiningDeviceHandler: async () => true,
    });
    return {made, backup: path.join(folder, "coordinator_backup.json")};
}

const first = options.restore ? undefined : controller(options.path, options.channel, "first");
let host = first && first.made;
const arrival = () => new Promise((resolve) => host.on("deviceJoined", (told) => setTimeout(() => resolve(told.device), 1000)));
let announced = host && arrival();

async function asked(device, endpoint, cluster, payload) {
    let adapter;
    let plain;
    if (options.adapter === "ember") {
        adapter = load("zigbee-herdsman/dist/adapter/ember/adapter/emberAdapter.js");
        const {EmberApsOption} = load("zigbee-herdsman/dist/adapter/ember/enums.js");
        plain = adapter.DEFAULT_APS_OPTIONS;
        adapter.DEFAULT_APS_OPTIONS = plain | EmberApsOption.ENCRYPTION;
    }
    const answer = host.sendRaw({
        ieeeAddress: device.ieeeAddr,
        networkAddress: device.networkAddress,
        dstEndpoint: endpoint,
        profileId: SMART_ENERGY,
        clusterKey: cluster,
        zcl: {frameType: 0, direction: 0, disableDefaultResponse: true, commandKey: "read", payload},
    });
    if (adapter) adapter.DEFAULT_APS_OPTIONS = plain;
    return (await answer).data;
}

async function zdo(device, cluster, ...params) {
    const [status, found] = await host.sendRaw({
        ieeeAddress: device.ieeeAddr,
        networkAddress: device.networkAddress,
        profileId: 0,
        clusterKey: cluster,
        zdoParams: params,
    });
    if (status !== 0) throw new Error(`status ${status}`);
    return found;
}

let meter;
let metering;
const verbs = [
    ["start", async () => host.start()],
    ["form", async () => `channel ${(await host.getNetworkParameters()).channel}`],
    [
        "restart",
        async () => {
            await host.stop();
            host = controller(options.path, options.channel, "first").made;
            announced = arrival();
            return host.start();
        },
    ],
    [
        "permit by install code",
        async () => {
            await host.addInstallCode(`${DEVICE.slice(2)}|${options.code}`);
            await host.permitJoin(60);
            return "open for 60 s";
        },
    ],
    [
        "join",
        async () => {
            tell({ask: "join"});
            meter = await announced;
            return `${meter.ieeeAddr} as ${meter.networkAddress}`;
        },
    ],
    [
        "interview",
        async () => {
            const found = await zdo(meter, 0x0005, meter.networkAddress);
            for (const endpoint of found.endpointList) {
                const simple = await zdo(meter, 0x0004, meter.networkAddress, endpoint);
                if (simple.inClusterList.includes(METERING)) metering = endpoint;
            }
            return `endpoints ${found.endpointList}`;
        },
    ],
    [
        "read metering",
        async () => {
            if (options.adapter !== "ember") return ABSENT;
            return (await asked(meter, metering, METERING, [{attrId: 0}])).toString("hex");
        },
    ],
    [
        "bind",
        async () => {
            const own = host.getDevicesByType("Coordinator")[0].ieeeAddr;
            await zdo(meter, 0x0021, meter.ieeeAddr, metering, METERING, 3, own, 0, 1);
            return "bound";
        },
    ],
    [
        "network map",
        async () => {
            const table = await host.getDevicesByType("Coordinator")[0].lqi();
            const found = (table.neighbors ?? table).map((one) => one.ieeeAddr ?? one.eui64);
            if (!found.includes(DEVICE)) throw new Error(`the meter is not among ${found}`);
            return `${found.length} neighbours`;
        },
    ],
    ["energy scan", async () => ABSENT],
    [
        "channel change",
        async () => {
            await host.stop();
            const moved = controller(options.path, options.next_channel, "first");
            host = moved.made;
            await host.start();
            const {channel} = await host.getNetworkParameters();
            if (channel !== options.next_channel) throw new Error(`it is on ${channel}`);
            return `on channel ${channel}`;
        },
    ],
    ["key change", async () => ABSENT],
    [
        "backup",
        async () => {
            await host.backup();
            return `${fs.statSync(first.backup).size} octets`;
        },
    ],
    ["packet capture", async () => ABSENT],
    [
        "restore to another dongle",
        async () => {
            // One process holds the Devices of one controller only.
            const told = JSON.stringify({...options, restore: first.backup});
            const out = await new Promise((resolve, reject) =>
                execFile(process.execPath, [__filename, told, process.argv[3]], (error, stdout, stderr) =>
                    error ? reject(new Error(stdout.trim() || stderr.trim().split("\n").pop())) : resolve(stdout),
                ),
            );
            const {result, panID, channel, own} = JSON.parse(out.trim().split("\n").pop());
            if (panID !== 0x1a62) throw new Error(`PAN ${panID}`);
            verbs.eui = own;
            return `${result}, PAN ${panID} on channel ${channel}, ${own}`;
        },
    ],
    [
        "EUI write",
        async () => {
            const own = host.getDevicesByType("Coordinator")[0].ieeeAddr;
            if (options.adapter === "ember") return ABSENT;
            if (verbs.eui !== own) throw new Error(`it is ${verbs.eui}, and the first is ${own}`);
            return `it is ${verbs.eui} now`;
        },
    ],
    [
        "stop",
        async () => {
            await host.stop();
            return "stopped";
        },
    ],
];

async function restored() {
    const other = controller(options.second, options.next_channel, "second");
    fs.copyFileSync(options.restore, other.backup);
    const result = await other.made.start();
    const {panID, channel} = await other.made.getNetworkParameters();
    const own = other.made.getDevicesByType("Coordinator")[0].ieeeAddr;
    await other.made.stop();
    tell({result, panID, channel, own});
    process.exit(0);
}

async function main() {
    for (const [verb, work] of verbs) {
        try {
            let late;
            const timer = new Promise((_, reject) => {
                late = setTimeout(() => reject(new Error("it did not end in time")), PATIENCE_MS);
            });
            const said = await Promise.race([work(), timer]);
            clearTimeout(late);
            tell(said === ABSENT ? {verb, ok: null, said: "zigbee-herdsman has no such function"} : {verb, ok: true, said: String(said)});
        } catch (trouble) {
            tell({verb, ok: false, said: String(trouble).slice(0, 300)});
            if (verb === "start") break;
        }
    }
    process.exit(0);
}

if (options.restore) {
    restored().catch((trouble) => {
        tell({verb: "restore", said: String(trouble)});
        process.exit(1);
    });
} else {
    main();
}
