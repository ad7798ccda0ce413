// The form of an app, made from the declaration of its options: groups, units, defaults, bounds and help.
import { api, download } from "./api.js";
import { bytes, el, fill, notice } from "./dom.js";

export async function formView(main, name, query) {
  const [apps, uploads, images, before] = await Promise.all([
    api("/apps"), api("/uploads?size=200"), api("/images?size=200"), query.get("job") ? api(`/jobs/${query.get("job")}`) : null]);
  const chosen = name || before?.app || "finder:classic";
  const menu = await api(`/apps/${encodeURIComponent(chosen)}`);
  const picked = new Set([query.get("input"), ...(before ? before.inputs.filter((one) => one.role === "map").map((one) => one.source) : [])].filter(Boolean));
  images.items.sort((a, b) => (b.role === "this") - (a.role === "this"));
  const files = [...images.items.map((one) => ({ value: `shelf:${one.id}`, name: one.name, more: ["shelf", one.collection, one.role === "this" ? "" : one.role].filter(Boolean).join(" · "), size: one.size })),
    ...uploads.items.map((one) => ({ value: one.input, name: one.name, more: "upload", size: one.size }))];
  for (const value of picked) if (!files.some((one) => one.value === value)) files.unshift({ value, name: value, more: "", size: null });
  const picks = el("div", { class: "picks", role: "group", "aria-label": "Inputs" });
  const showPicks = () => fill(picks, files.length ? files.map((one) => el("label", {},
    el("input", { type: "checkbox", value: one.value, ...(picked.has(one.value) ? { checked: "" } : {}), onchange: (event) => { if (event.target.checked) picked.add(one.value); else picked.delete(one.value); } }),
    el("span", {}, one.name, " ", el("span", { class: "quiet small" }, one.more, one.size === null ? "" : ` · ${bytes(one.size)}`))))
    : el("p", { class: "quiet" }, "Nothing is there yet: send a map."));
  const send = el("input", { type: "file", multiple: "", id: "send", onchange: async (event) => {
    for (const file of event.target.files) {
      const got = await download.send(file);
      files.unshift({ value: got.input, name: got.name, more: "upload", size: got.size });
      picked.add(got.input);
    }
    event.target.value = "";
    showPicks();
  } });
  showPicks();
  const title = el("input", { id: "name", maxlength: 255, value: before?.name ?? "" });
  const tags = el("input", { id: "tags", placeholder: "words, with commas between them", value: (before?.tags ?? []).join(", ") });
  const address = el("input", { id: "address", type: "url", placeholder: "https://… (fetched by the service)" });
  const fields = menu.groups.map((group) => ({ group, inputs: group.options.map((one) => field(one, before?.options, files)) }));
  const resources = { group: { name: "resources", doc: "What it may use, and where it runs." }, inputs: menu.resources.map((one) => field(one, before?.resources, files)) };
  const select = el("select", { id: "app", onchange: (event) => { location.hash = `#new/${encodeURIComponent(event.target.value)}${picked.size === 1 ? `?input=${[...picked][0]}` : ""}`; } },
    apps.map((one) => el("option", { value: one.name, ...(one.name === chosen ? { selected: "" } : {}), ...(one.available ? {} : { disabled: "" }) },
      one.available ? one.name : `${one.name} (not installed)`)));
  fill(main, el("h1", {}, "New job"), el("form", { novalidate: "", onsubmit: async (event) => {
    event.preventDefault();
    for (const one of [...fields.flatMap((each) => each.inputs), ...resources.inputs]) one.mark(false);
    const taken = (rows) => Object.fromEntries(rows.filter((one) => one.changed()).map((one) => [one.name, one.value()]));
    const inputs = [...picked, ...(address.value.trim() ? [address.value.trim()] : [])];
    try {
      const made = await api("/jobs", { method: "POST", body: {
        app: chosen, inputs, name: title.value.trim(), tags: tags.value.split(",").map((one) => one.trim()).filter(Boolean),
        options: taken(fields.flatMap((each) => each.inputs)), resources: taken(resources.inputs) } });
      location.hash = `#job/${made.id}`;
    } catch (error) {
      const wrong = /option '(\w+)'/.exec(error.message)?.[1];
      for (const one of [...fields.flatMap((each) => each.inputs), ...resources.inputs]) if (one.name === wrong) one.mark(true);
      notice(error.message, true);
    }
  } },
  el("section", { class: "card" }, el("div", { class: "options" },
    el("div", { class: "field" }, el("label", { for: "app" }, "What to do"), select, el("p", {}, menu.doc)),
    el("div", { class: "field" }, el("label", { for: "name" }, "Name"), title, el("p", {}, "What you call it.")),
    el("div", { class: "field" }, el("label", { for: "tags" }, "Tags"), tags, el("p", {}, "To find it again by.")))),
  el("section", { class: "card" }, el("h2", {}, "Inputs"), picks,
    el("div", { class: "row" }, el("label", { for: "send", class: "quiet" }, "Send files"), send, el("label", { for: "address", class: "quiet" }, "or a URL"), address)),
  el("section", { class: "card" }, el("div", { class: "head" }, el("h2", {}, "Options"), el("button", { class: "main" }, "Submit")),
    el("p", { class: "quiet" }, "What is left as it is keeps its default."), [...fields, resources].map(groupBox)),
  el("div", { class: "row" }, el("button", { class: "main" }, "Submit"))));
}

function groupBox({ group, inputs }, index) {
  return el("details", index === 0 || inputs.some((one) => one.changed()) ? { open: "" } : {},
    el("summary", {}, el("strong", {}, group.name), " ", el("span", { class: "quiet small" }, group.doc)),
    el("div", { class: "options" }, inputs.map((one) => one.box)));
}

const text = (value) => (value === null || value === undefined ? "" : Array.isArray(value) ? value.join(", ") : String(value));

// A sentence with what stands in backticks as code.
const words = (sentence) => sentence.split("`").map((part, at) => (at % 2 ? el("code", {}, part) : part));

// One option: what it is called, where it is written, whether it was changed, and what is sent.
function field(option, before, files) {
  const id = `option-${option.name}`, form = option.form;
  const kinds = form.anyOf ?? [form];
  const number = kinds.find((each) => each.type === "number" || each.type === "integer");
  const choices = kinds.flatMap((each) => each.enum ?? (each.const !== undefined ? [each.const] : []));
  const start = before && option.name in before && before[option.name] !== null && JSON.stringify(before[option.name]) !== JSON.stringify(option.default) && !String(before[option.name]).startsWith("input:") ? text(before[option.name]) : "";
  const shown = option.default === null || option.default === "" ? "none" : text(option.default);
  let input;
  if (kinds.length === 1 && form.type === "boolean") input = pick(id, ["true", "false"], shown, start);
  else if (choices.length && kinds.every((each) => each.enum || each.const !== undefined || each.type === "null")) input = pick(id, choices.map(String), shown, start);
  else if (option.file) input = pick(id, files.map((one) => [one.value, one.name]), shown, start);
  else if (number && kinds.every((each) => each === number || each.type === "null")) {
    input = el("input", { id, type: "number", step: number.type === "integer" ? 1 : "any", min: number.minimum ?? number.exclusiveMinimum, max: number.maximum ?? number.exclusiveMaximum, placeholder: shown, value: start });
  } else input = el("input", { id, placeholder: shown, value: start });
  const box = el("div", { class: "field" }, el("label", { for: id }, option.name, option.unit ? el("span", { class: "unit" }, ` (${option.unit})`) : null),
    input, el("p", {}, words(option.doc), " ", el("span", { class: "bounds" }, `(${option.allowed})`)));
  return { name: option.name, box, changed: () => input.value.trim() !== "", value: () => input.value.trim(), mark: (bad) => {
    box.classList.toggle("wrong", bad);
    input.setAttribute("aria-invalid", bad);
    if (bad) { box.closest("details").open = true; input.focus(); }
  } };
}

function pick(id, values, shown, start) {
  return el("select", { id }, el("option", { value: "" }, `${shown} (default)`),
    values.map((one) => { const [value, label] = Array.isArray(one) ? one : [one, one]; return el("option", { value, ...(value === start ? { selected: "" } : {}) }, label); }));
}
