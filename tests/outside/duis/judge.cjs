// The published parser of DUIS clients as a judge. Arguments: files; one JSON object a line comes back.
const { readFileSync } = require("fs");
const { createRequire } = require("module");
const { parseDuis } = createRequire(process.env.NPM_PACKAGES + "/")("@smartdcc/duis-parser");
const wide = (_, value) => (typeof value === "bigint" ? value.toString() : value);

for (const file of process.argv.slice(2)) {
  let said;
  try {
    said = { header: parseDuis("simplified", readFileSync(file, "utf-8")).header };
  } catch (wrong) {
    said = { error: String(wrong && wrong.message ? wrong.message : wrong).slice(0, 300) };
  }
  console.log(JSON.stringify({ file, ...said }, wide));
}
