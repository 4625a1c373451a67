// The published parser of DUIS clients as a judge. Arguments: "parse" or "construct", then files; one JSON object a line comes back.
const { readFileSync } = require("fs");
const { createRequire } = require("module");
const { parseDuis, constructDuis } = createRequire(process.env.NPM_PACKAGES + "/")("@smartdcc/duis-parser");
const wide = (_, value) => (typeof value === "bigint" ? value.toString() : value);
const work = {
  parse: (text) => parseDuis("simplified", text),
  construct: (text) => ({ document: constructDuis("simplified", JSON.parse(text), "5.4") }),
};

const [what, ...files] = process.argv.slice(2);
for (const file of files) {
  let said;
  try {
    said = work[what](readFileSync(file, "utf-8"));
  } catch (wrong) {
    said = { error: String(wrong && wrong.message ? wrong.message : wrong).slice(0, 300) };
  }
  console.log(JSON.stringify({ file, ...said }, wide));
}
