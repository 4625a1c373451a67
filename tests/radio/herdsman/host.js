// An unmodified zigbee-herdsman as host of a dongle: forms a network, permits a join, reads what joined, stops.
//
// node host.js JSON FOLDER: FOLDER has the npm packages, JSON is {path, folder, channel, seconds, code, reads: [{endpoint, cluster,
// attributes, encrypted}]}. Without reads it stops as soon as the join is permitted. Each line on stdout is a JSON object {event, ...};
// the host's own log goes to stderr, each line led by its level.
"use strict";

const path = require("node:path");
const {createRequire} = require("node:module");

const options = JSON.parse(process.argv[2]);
const load = createRequire(path.join(process.argv[3], "package.json"));
const {Controller, setLogger} = load("zigbee-herdsman");
const emberAdapter = load("zigbee-herdsman/dist/adapter/ember/adapter/emberAdapter.js");
const {EmberApsOption} = load("zigbee-herdsman/dist/adapter/ember/enums.js");

const SMART_ENERGY = 0x0109;
// This host drops every profile that it does not list, Smart Energy among them: one of a vendor's in its list is taken for it.
load("zigbee-herdsman/dist/zspec/consts.js").CUSTOM_CONTROL4_PROFILE_ID = SMART_ENERGY;
const ACTIVE_ENDPOINTS = 0x0005;

const tell = (event, more = {}) => process.stdout.write(`${JSON.stringify({event, ...more})}\n`);
const log = (level) => (message, namespace) =>
    process.stderr.write(`${level} ${namespace}: ${typeof message === "function" ? message() : message}\n`);
setLogger({debug: log("debug"), info: log("info"), warning: log("warning"), error: log("error")});

const controller = new Controller({
    network: {panID: 0x1a62, extendedPanID: [1, 2, 3, 4, 5, 6, 7, 8], channelList: [options.channel]},
    transport: {path: options.path, adapter: "ember", baudRate: 115200, rtscts: false},
    databasePath: path.join(options.folder, "database.db"),
    databaseBackupPath: path.join(options.folder, "database.db.backup"),
    backupPath: path.join(options.folder, "coordinator_backup.json"),
    adapter: {disableLED: false},
    acceptJoiningDeviceHandler: async () => true,
});

// Encrypted: with the link key, which this host otherwise does for the ZigBee Direct cluster alone. Its options are read when it is called.
async function read(device, {endpoint, cluster, attributes, encrypted}) {
    const plain = emberAdapter.DEFAULT_APS_OPTIONS;
    emberAdapter.DEFAULT_APS_OPTIONS = encrypted ? plain | EmberApsOption.ENCRYPTION : plain;
    const answer = controller.sendRaw({
        ieeeAddress: device.ieeeAddr,
        networkAddress: device.networkAddress,
        dstEndpoint: endpoint,
        profileId: SMART_ENERGY,
        clusterKey: cluster,
        zcl: {
            frameType: 0,
            direction: 0,
            disableDefaultResponse: true,
            commandKey: "read",
            payload: attributes.map((attrId) => ({attrId})),
        },
    });
    emberAdapter.DEFAULT_APS_OPTIONS = plain;
    tell("read", {cluster, frame: (await answer).data.toString("hex")});
}

async function endpoints(device) {
    const [status, found] = await controller.sendRaw({
        ieeeAddress: device.ieeeAddr,
        networkAddress: device.networkAddress,
        profileId: 0,
        clusterKey: ACTIVE_ENDPOINTS,
        zdoParams: [device.networkAddress],
    });
    tell("endpoints", {status, list: found.endpointList});
}

async function main() {
    // The reads begin at the announcement: the host's interview asks for Basic in the Home Automation profile, which a meter ignores,
    // and would keep later requests waiting for its 10 s.
    const announced = new Promise((resolve) => controller.on("deviceAnnounce", (told) => resolve(told.device)));
    controller.on("deviceJoined", (told) => tell("joined", {ieee: told.device.ieeeAddr}));
    tell("started", {result: await controller.start()});
    const network = await controller.getNetworkParameters();
    tell("network", {channel: network.channel, pan: network.panID, coordinator: controller.getDevicesByType("Coordinator")[0].ieeeAddr});
    await controller.addInstallCode(options.code);
    await controller.permitJoin(options.seconds);
    tell("permitted");
    if (options.reads) {
        const device = await announced;
        await Promise.all([endpoints(device), ...options.reads.map((one) => read(device, one))]);
    }
    await controller.permitJoin(0);
    await controller.stop();
    tell("stopped");
    process.exit(0);
}

main().catch((trouble) => {
    process.stderr.write(`error host: ${trouble.stack}\n`);
    process.exit(1);
});
