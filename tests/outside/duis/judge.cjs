// The published libraries of DUIS clients as judges. Arguments: what (parse | sign | validate), then files; one JSON object a line comes back.
const { readFileSync } = require("fs");
const { createRequire } = require("module");
const load = createRequire(process.env.NPM_PACKAGES + "/");
const wide = (_, value) => (typeof value === "bigint" ? value.toString() : value);

async function main([what, ...files]) {
  for (const file of files) {
    const xml = readFileSync(file, "utf-8");
    let said;
    try {
      if (what === "parse") said = { header: load("@smartdcc/duis-parser").parseDuis("simplified", xml).header };
      else if (what === "sign") said = { xml: await load("@smartdcc/duis-sign-wrap").signDuis({ xml }) };
      else said = { xml: await load("@smartdcc/duis-sign-wrap").validateDuis({ xml }) };
    } catch (wrong) {
      said = { error: String(wrong && wrong.message ? wrong.message : wrong).slice(0, 300) };
    }
    console.log(JSON.stringify({ file, ...said }, wide));
  }
}

main(process.argv.slice(2));
