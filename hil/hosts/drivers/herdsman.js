// An unmodified zigbee-herdsman (ember or zstack) on a dongle, verb by verb.
//
// node herdsman.js JSON FOLDER: FOLDER has the npm packages, JSON is {adapter, path, second, device, code, channel, next_channel, folder, log}.
// Each line on stdout is a JSON object: {verb, ok, said} after a verb, {ask} where the rig has to act first. A line on stdin ends the
// verb that runs: the rig sees that nothing moves any more.
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
const SMART_ENERGY_ENDPOINT = 6; // of those that its zstack adapter registers
const OWN_EUI_TOKEN = 0x1e12a; // NVM3 key of the restored EUI-64
const ALL_CHANNELS = Array.from({length: 16}, (_, at) => 11 + at);
const OPEN_S = 254; // the longest: a Device of a busy machine takes its time
const ABSENT = Symbol("absent");

// This host drops every profile that it does not list, Smart Energy among them: one of a vendor's in its list is taken for it.
load("zigbee-herdsman/dist/zspec/consts.js").CUSTOM_CONTROL4_PROFILE_ID = SMART_ENERGY;
const log = (level) => (message, namespace) => {
    const text = `${level}: \t${namespace}: ${typeof message === "function" ? message() : message}`;
    if (level !== "debug") process.stderr.write(`${text}\n`);
    // As Zigbee2MQTT writes it.
    if (options.log) fs.appendFileSync(options.log, `[${new Date().toISOString().replace("T", " ").slice(0, -1)}] ${text}\n`);
};
setLogger({debug: options.log ? log("debug") : () => {}, info: log("info"), warning: log("warning"), error: log("error")});

const tell = (one) => process.stdout.write(`${JSON.stringify(one)}\n`);

function controller(port, channel, name, networkKey) {
    const folder = path.join(options.folder, name);
    fs.mkdirSync(folder, {recursive: true});
    const made = new Controller({
        network: {panID: 0x1a62, extendedPanID: [1, 2, 3, 4, 5, 6, 7, 8], channelList: [channel], ...(networkKey && {networkKey})},
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
    if (options.adapter === "zstack") {
        // This adapter asks for APS security for one cluster of its own only.
        const {znp} = host.adapter;
        plain = znp.request;
        znp.request = (subsystem, command, fields, ...more) =>
            plain.call(znp, subsystem, command, command === "dataRequest" ? {...fields, options: fields.options | 0x40} : fields, ...more);
    }
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
        srcEndpoint: options.adapter === "zstack" ? SMART_ENERGY_ENDPOINT : undefined,
        profileId: SMART_ENERGY,
        clusterKey: cluster,
        zcl: {frameType: 0, direction: 0, disableDefaultResponse: true, commandKey: "read", payload},
    });
    if (adapter) adapter.DEFAULT_APS_OPTIONS = plain;
    try {
        return (await answer).data;
    } finally {
        if (options.adapter === "zstack") host.adapter.znp.request = plain;
    }
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

// The second dongle through this host's EZSP layer alone, as ember-zli takes it to sniff and to write an EUI-64.
async function bare(work) {
    const {Ezsp} = load("zigbee-herdsman/dist/adapter/ember/ezsp/ezsp.js");
    const {AdapterTransport} = load("zigbee-herdsman/dist/adapter/transport.js");
    const ezsp = new Ezsp(new AdapterTransport({path: options.second, baudRate: 115200, rtscts: false}));
    fine(await ezsp.start(), "the start of EZSP");
    try {
        let [version] = await ezsp.ezspVersion(13);
        if (version !== 13) [version] = await ezsp.ezspVersion(version);
        ezsp.setProtocolVersion(version);
        return await work(ezsp);
    } finally {
        await ezsp.stop();
    }
}

function fine(status, what) {
    if (status !== 0) throw new Error(`${what}: status 0x${status.toString(16)}`);
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
            await host.permitJoin(OPEN_S);
            return `open for ${OPEN_S} s`;
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
    [
        "energy scan",
        async () => {
            const own = host.getDevicesByType("Coordinator")[0];
            const found = await zdo(own, 0x0038, ALL_CHANNELS, 2, 1, undefined, undefined);
            if (found.entryList.length !== 16) throw new Error(`${found.entryList.length} channels`);
            return `${found.entryList.length} channels`;
        },
    ],
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
    [
        "key change",
        async () => {
            if (options.adapter === "ember") {
                const {ezsp} = host.adapter;
                const sequence = async () => (await ezsp.ezspGetNetworkKeyInfo())[1].networkKeySequenceNumber;
                const before = await sequence();
                await host.adapter.broadcastNetworkKeyUpdate();
                const after = await sequence();
                if (after !== before + 1) throw new Error(`key ${after} after key ${before}`);
                return `key ${after} after key ${before}`;
            }
            const {znp} = host.adapter;
            const {Subsystem} = load("zigbee-herdsman/dist/adapter/z-stack/unpi/constants.js");
            const active = async () => (await znp.request(Subsystem.SYS, "osalNvRead", {id: 0x3a, offset: 0})).payload.value;
            const before = await active();
            const key = Buffer.from(Array.from({length: 16}, (_, at) => at + 1));
            const keyseqnum = before[0] + 1;
            await znp.request(Subsystem.ZDO, "extUpdateNwkKey", {dstaddr: 0xffff, keyseqnum, key});
            await znp.request(Subsystem.ZDO, "extSwitchNwkKey", {dstaddr: 0xffff, keyseqnum});
            await new Promise((resolve) => setTimeout(resolve, 500));
            const after = await active();
            if (!after.subarray(1).equals(key)) throw new Error(`key ${after[0]} is not the one given out`);
            return `key ${after[0]} after key ${before[0]}`;
        },
    ],
    [
        "backup",
        async () => {
            await host.backup();
            return `${fs.statSync(first.backup).size} octets`;
        },
    ],
    [
        "packet capture",
        async () => {
            if (options.adapter !== "ember") return ABSENT;
            const {channel} = await host.getNetworkParameters();
            return bare(async (ezsp) => {
                const heard = new Promise((resolve) => {
                    ezsp.ezspMfglibRxHandler = (_lqi, _rssi, octets) => resolve(octets);
                });
                fine(await ezsp.mfglibInternalStart(true), "mfglib start");
                fine(await ezsp.mfglibInternalSetChannel(channel), "mfglib channel");
                await host.permitJoin(1);
                const octets = await heard;
                fine(await ezsp.mfglibInternalEnd(), "mfglib end");
                return `${octets.length} octets`;
            });
        },
    ],
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
            if (result !== "restored" || panID !== 0x1a62) throw new Error(`${result}, PAN ${panID}`);
            verbs.eui = own;
            return `${result}, PAN ${panID} on channel ${channel}, ${own}`;
        },
    ],
    [
        "EUI write",
        async () => {
            const own = host.getDevicesByType("Coordinator")[0].ieeeAddr;
            if (options.adapter === "ember") {
                const data = Buffer.from(own.slice(2), "hex").reverse();
                await bare(async (ezsp) => fine(await ezsp.ezspSetTokenData(OWN_EUI_TOKEN, 0, {size: data.length, data}), "the EUI-64 token"));
                const now = await bare((ezsp) => ezsp.ezspGetEui64());
                if (now !== own) throw new Error(`it is still ${now}`);
                return `it is ${now} now`;
            }
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
    // It restores what its settings name, and the network key has been changed since.
    const {key} = JSON.parse(fs.readFileSync(options.restore, "utf8")).network_key;
    const other = controller(options.second, options.next_channel, "second", [...Buffer.from(key, "hex")]);
    fs.copyFileSync(options.restore, other.backup);
    const result = await other.made.start();
    const {panID, channel} = await other.made.getNetworkParameters();
    const own = other.made.getDevicesByType("Coordinator")[0].ieeeAddr;
    await other.made.stop();
    tell({result, panID, channel, own});
    process.exit(0);
}

async function main() {
    let enough;
    process.stdin.on("data", () => enough());
    for (const [verb, work] of verbs) {
        try {
            const stuck = new Promise((_, reject) => {
                enough = () => reject(new Error("nothing moved any more"));
            });
            const said = await Promise.race([work(), stuck]);
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
