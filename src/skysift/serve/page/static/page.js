// The page: hash routes to views, each a function that fills <main>. No framework; everything is text nodes, never HTML.
import { api, download, me, signIn, signOut, stream } from "./api.js";
import { ago, bytes, el, fill, notice, seconds, when } from "./dom.js";
import { formView } from "./form.js";

const main = document.getElementById("main");
const ENDED = ["COMPLETED", "ERROR", "ABORTED", "ARCHIVED"];
let leave = () => {}; // ends what the present view keeps going

const phase = (job) => el("span", { class: `phase ${job.phase}` }, job.phase);

function bar(job) {
  const part = job.progress.fraction;
  const told = job.progress.stage || job.phase.toLowerCase();
  if (ENDED.includes(job.phase) || (part === null && job.phase !== "EXECUTING")) return null;
  return el("progress", { max: 1, ...(part === null ? {} : { value: part }), "aria-label": told });
}

function whose(access) {
  return access.visibility === "group" ? `group ${access.group}` : access.visibility;
}

// -- shelf

async function shelf() {
  const [images, tables, products] = await Promise.all([api("/images?size=200"), api("/catalogues?size=200"), api("/shelf?kind=product&size=200")]);
  images.items.sort((a, b) => (b.role === "this") - (a.role === "this"));
  fill(main, el("h1", {}, "On the shelf"),
    products.items.length ? el("section", { class: "card" }, el("h2", {}, "Searched maps"), productTable(products.items)) : null,
    el("section", { class: "card" }, el("h2", {}, "Images and cubes"), images.items.length ? imageTable(images.items)
      : el("p", { class: "quiet" }, "No image yet. `skysift ingest map.fits` puts one here, or the results of a job.")),
    el("section", { class: "card" }, el("h2", {}, "Catalogues and tables"), tables.items.length ? tableTable(tables.items)
      : el("p", { class: "quiet" }, "No catalogue yet.")));
}

// A file of the shelf to be taken along. A link carries no header: who signed in gets one of their own for it.
function fileLink(one) {
  return el("a", { href: one.links.content, onclick: async (event) => {
    if (me.sign_in !== "tokens") return;
    event.preventDefault();
    const link = await api(`/shelf/${one.id}/views`, { method: "POST" });
    el("a", { href: link.url + encodeURIComponent(one.name), download: one.name }).click();
  } }, one.name);
}

function productTable(items) {
  return el("div", { class: "wide" }, el("table", { class: "stack" },
    el("thead", {}, el("tr", {}, ...["Name", "Collection", "Seen by", "Put there"].map((t) => el("th", {}, t)), el("th", {}, ""))),
    el("tbody", {}, items.map((one) => el("tr", {},
      el("td", {}, one.name), el("td", {}, one.collection), el("td", {}, whose(one.access)), el("td", { class: "one", title: when(one.created) }, ago(one.created)),
      el("td", {}, el("button", { onclick: async () => {
        const tab = open("about:blank");
        const link = await api(`/shelf/${one.id}/views`, { method: "POST" });
        tab.opener = null;
        tab.location = `${link.url}report.html`;
      } }, "Open the report")))))));
}

function imageTable(items) {
  return el("div", { class: "wide" }, el("table", { class: "stack" },
    el("thead", {}, el("tr", {}, ...["Name", "Collection", "What", "Position (deg)", "Field"].map((t) => el("th", {}, t)),
      el("th", { class: "num" }, "Size"), el("th", {}, ""))),
    el("tbody", {}, items.map((one) => el("tr", {},
      el("td", {}, fileLink(one), " ", el("span", { class: "quiet small" }, one.role === "this" ? "" : one.role)),
      el("td", {}, one.collection), el("td", {}, one.type || one.kind),
      el("td", { class: "one" }, one.ra === null ? "" : `${one.ra.toFixed(3)}, ${one.dec.toFixed(3)}`),
      el("td", { class: "one" }, one.field === null ? "" : `${one.field.toPrecision(3)}°`),
      el("td", { class: "num" }, bytes(one.size)),
      el("td", {}, el("a", { href: `#new?input=shelf:${one.id}` }, "find sources")))))));
}

function tableTable(items) {
  return el("div", { class: "wide" }, el("table", { class: "stack" },
    el("thead", {}, el("tr", {}, ...["Name", "Collection", "Table", "Seen by"].map((t) => el("th", {}, t)), el("th", { class: "num" }, "Rows"))),
    el("tbody", {}, items.map((one) => el("tr", {},
      el("td", {}, one.links.content ? fileLink(one) : one.name), el("td", {}, one.collection),
      el("td", {}, one.tables.map((t) => el("code", {}, t.name, " "))), el("td", {}, whose(one.access)),
      el("td", { class: "num" }, one.tables.map((t) => t.rows ?? "").join(", ")))))));
}

// -- jobs

async function jobs() {
  const box = el("div", {});
  let etag = "", stop = false, page = "";
  leave = () => { stop = true; };
  fill(main, el("div", { class: "head" }, el("h1", {}, "Jobs"), el("a", { class: "button main", href: "#new" }, "New job")), box);
  const show = async () => {
    const got = await api(`/jobs?size=50&page=${encodeURIComponent(page)}`, { etag });
    if (!got) return;
    etag = got.etag;
    fill(box, got.items.length ? jobTable(got.items)
      : el("div", { class: "card quiet" }, "No job yet. Upload a map, or take one from the shelf, and find its sources."),
      el("div", { class: "row" },
        page ? el("button", { onclick: () => { page = ""; etag = ""; show(); } }, "Newest") : null,
        got.next ? el("button", { onclick: () => { page = got.next; etag = ""; show(); } }, "Older") : null));
  };
  await show();
  const again = async () => {
    if (stop) return;
    if (!document.hidden) await show().catch(() => {});
    setTimeout(again, 2500);
  };
  setTimeout(again, 2500);
}

function jobTable(items) {
  return el("div", { class: "card wide" }, el("table", { class: "stack" },
    el("thead", {}, el("tr", {}, ...["Job", "Phase", "Inputs", "Owner", "Submitted"].map((t) => el("th", {}, t)), el("th", { class: "num" }, "Took"))),
    el("tbody", {}, items.map((job) => el("tr", {},
      el("td", {}, el("a", { href: `#job/${job.id}` }, job.name || job.app), el("div", { class: "quiet small" }, [job.name ? job.app : "", ...job.tags].filter(Boolean).join(" · "))),
      el("td", {}, phase(job), bar(job)),
      el("td", {}, inputsText(job.inputs)), el("td", {}, job.access.owner),
      el("td", { class: "one", title: when(job.created) }, ago(job.created)),
      el("td", { class: "num" }, job.seconds ? seconds(job.seconds) : ""))))));
}

function inputsText(inputs) {
  const names = inputs.slice(0, 2).map((one) => one.name).join(", ");
  return inputs.length > 2 ? `${names} and ${inputs.length - 2} more` : names;
}

// -- one job

async function job(id) {
  const head = el("div", { class: "card" }), results = el("div", {}), story = el("div", {}), log = el("pre", { tabindex: 0, "aria-label": "Log" });
  const control = new AbortController();
  let now = await api(`/jobs/${id}`), shown = "", lines = [], waiting = false;
  leave = () => control.abort();
  fill(main, head, results, el("section", { class: "card" }, el("h2", {}, "Log"), log), el("section", { class: "card" }, el("h2", {}, "What happened"), story), facts(now));
  const tell = () => fill(head, el("div", { class: "head" }, el("h1", {}, now.name || now.app), phase(now)), bar(now),
    el("p", { class: "quiet" }, [now.progress.stage && !ENDED.includes(now.phase) ? `${now.progress.stage} ${now.progress.done} of ${now.progress.total}` : "",
      now.reason, now.seconds ? `took ${seconds(now.seconds)}` : ""].filter(Boolean).join(" · ")), buttons(now));
  const readLog = async () => {
    if (waiting) return;
    waiting = true;
    try {
      const text = await api(`/jobs/${id}/log`, { text: true });
      if (text !== shown) {
        const end = log.scrollTop + log.clientHeight >= log.scrollHeight - 30;
        log.textContent = shown = text;
        if (end) log.scrollTop = log.scrollHeight;
      }
      log.parentElement.hidden = !text;
    } finally { setTimeout(() => { waiting = false; }, 700); }
  };
  const read = async () => {
    await stream(`/jobs/${id}/events`, control.signal, (kind, data) => {
      if (kind === "job") { now = data; tell(); }
      else if (kind === "phase" || kind === "note" || kind === "item") {
        lines = [...lines, data].slice(-200);
        fill(story, el("div", { class: "wide" }, el("table", {}, el("tbody", {}, lines.map((one) => el("tr", {},
          el("td", { class: "one quiet small" }, new Date(one.time).toLocaleTimeString()),
          el("td", {}, one.phase ? el("span", { class: `phase ${one.phase}` }, one.phase) : null, " ",
            one.reason || one.text || (one.name ? `${one.name}: ${one.ok ? "done" : ""}` : ""))))))));
      }
      readLog();
    });
    if (control.signal.aborted) return;
    now = await api(`/jobs/${id}`);
    tell();
    shown = "";
    waiting = false;
    await readLog();
    if (ENDED.includes(now.phase)) await showResults(now, results);
  };
  tell();
  await readLog();
  if (ENDED.includes(now.phase)) await showResults(now, results);
  read().catch((error) => { if (!control.signal.aborted) notice(error.message, true); });
}

function buttons(job) {
  const act = (verb, path, method = "POST") => el("button", { class: verb === "Cancel" || verb === "Remove" ? "bad" : "", onclick: async () => {
    if (verb === "Remove" && !confirm("Remove this job and its results?")) return;
    const done = await api(`/jobs/${job.id}${path}`, { method });
    if (verb === "Remove") location.hash = "#jobs";
    else if (done.id !== job.id) location.hash = `#job/${done.id}`;
  } }, verb);
  const ended = ENDED.includes(job.phase);
  return el("div", { class: "row" }, ["PENDING", "HELD"].includes(job.phase) ? act("Start", "/start") : null,
    ended ? null : act("Cancel", "/cancel"), ended ? act("Do it again", "/retry") : null,
    el("a", { class: "button", href: `#new/${encodeURIComponent(job.app)}?job=${job.id}` }, "Change and repeat"),
    ended ? act("Remove", "", "DELETE") : null,
    el("label", { class: "row small" }, "Seen by", el("select", { "aria-label": "Seen by", onchange: async (event) => {
      await api(`/jobs/${job.id}`, { method: "PATCH", body: sharing(event.target.value) });
      notice(`Seen by: ${event.target.selectedOptions[0].textContent}`);
    } }, sharings(job.access))));
}

function sharings(access) {
  const groups = [...new Set([...me.groups, access.group].filter(Boolean))];
  const now = access.visibility === "group" ? `group:${access.group}` : access.visibility;
  return [["private", "its owner"], ...groups.map((g) => [`group:${g}`, `group ${g}`]), ["public", "everybody"]]
    .map(([value, text]) => el("option", { value, ...(value === now ? { selected: "" } : {}) }, text));
}

function sharing(value) {
  const [visibility, group = ""] = value.split(":");
  return { visibility, group };
}

async function showResults(job, box) {
  const files = await api(`/jobs/${job.id}/results`);
  if (!files.length) { fill(box); return; }
  const view = (await api(`/jobs/${job.id}/views`, { method: "POST" })).url;
  const link = (one) => view + one.name.split("/").map(encodeURIComponent).join("/");
  const pages = files.filter((one) => one.name.endsWith(".html"));
  const many = files.length > 12;
  const table = el("div", { class: "wide" }, el("table", {}, el("tbody", {}, files.map((one) => el("tr", {},
    el("td", {}, el("a", { href: link(one), target: "_blank", rel: "noopener" }, one.name)),
    el("td", { class: "quiet" }, one.media_type), el("td", { class: "num" }, bytes(one.size)))))));
  fill(box, el("section", { class: "card" }, el("div", { class: "head" }, el("h2", {}, "Results"),
    el("div", { class: "row" }, pages.slice(0, 4).map((one) => el("a", { class: "button main", href: link(one), target: "_blank", rel: "noopener" },
      pages.length > 1 ? one.name : "Open the report")),
    me.name ? el("button", { onclick: async () => {
      const put = await api("/shelf", { method: "POST", body: { source: `job:${job.id}` } });
      notice(`On the shelf: ${put.items.map((one) => one.name).join(", ")}`);
    } }, "Put on the shelf") : null)),
  many ? el("details", {}, el("summary", {}, `${files.length} files, ${bytes(files.reduce((sum, one) => sum + one.size, 0))}`), table) : table));
}

function facts(job) {
  const told = Object.entries(job.options);
  return el("section", { class: "card" }, el("h2", {}, "What was asked"), el("dl", { class: "facts" },
    ...[["App", job.app], ["Inputs", job.inputs.map((one) => `${one.name} (${one.source})`).join(", ")], ["Owner", `${job.access.owner}, ${whose(job.access)}`],
      ["Submitted", when(job.created)], ["Results are kept until", when(job.destruction)], ["Executor", `${job.resources.executor}, ${job.resources.cores} cores`], ["Id", job.id]]
      .flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, value)])),
  el("details", {}, el("summary", {}, `All ${told.length} options`), el("dl", { class: "facts mono" },
    ...told.flatMap(([name, value]) => [el("dt", {}, name), el("dd", {}, JSON.stringify(value))]))));
}

// -- uploads

async function uploads() {
  const list = el("div", {}), state = el("div", { class: "quiet small" });
  const pick = el("input", { type: "file", multiple: "", id: "files" });
  const show = async () => {
    const got = await api("/uploads?size=200");
    fill(list, got.items.length ? el("div", { class: "wide" }, el("table", { class: "stack" },
      el("thead", {}, el("tr", {}, el("th", {}, "Name"), el("th", {}, "Sent"), el("th", {}, "Seen by"), el("th", { class: "num" }, "Size"), el("th", {}, ""))),
      el("tbody", {}, got.items.map((one) => el("tr", {}, el("td", {}, one.name),
        el("td", { class: "one", title: when(one.created) }, ago(one.created)), el("td", {}, whose(one.access)), el("td", { class: "num" }, bytes(one.size)),
        el("td", {}, el("span", { class: "row" }, el("a", { href: `#new?input=${one.input}` }, "find sources"),
          el("button", { class: "bad", onclick: async () => { await api(`/uploads/${one.id}`, { method: "DELETE" }); show(); } }, "Remove")))))))
    ) : el("p", { class: "quiet" }, "Nothing was sent yet."));
  };
  fill(main, el("h1", {}, "Uploads"), el("section", { class: "card" }, el("h2", {}, "Send files"),
    el("div", { class: "row" }, el("label", { for: "files", class: "quiet" }, "Maps, catalogues, beams"), pick,
      el("button", { class: "main", onclick: async () => {
        for (const file of pick.files) await download.send(file, (part) => { state.textContent = `${file.name}: ${Math.round(part * 100)} %`; });
        state.textContent = "";
        pick.value = "";
        await show();
      } }, "Send")), state), el("section", { class: "card" }, list));
  await show();
}

// -- routes

const ROUTES = { shelf, jobs, uploads, job, new: (name, query) => formView(main, name, query) };

async function go() {
  leave();
  leave = () => {};
  const [path, query = ""] = (location.hash.slice(1) || "shelf").split("?");
  const [room, ...rest] = path.split("/");
  const view = ROUTES[room] ?? shelf;
  const current = room === "job" ? "jobs" : ROUTES[room] ? room : "shelf";
  for (const link of document.querySelectorAll("header nav a")) {
    if (link.getAttribute("href") === `#${current}`) link.setAttribute("aria-current", "page");
    else link.removeAttribute("aria-current");
  }
  try { await view(decodeURIComponent(rest.join("/")), new URLSearchParams(query)); }
  catch (error) { fill(main, el("div", { class: "card" }, el("h1", {}, "That did not work"), el("p", {}, error.message))); }
}

function who() {
  const box = document.getElementById("who");
  if (me.sign_in !== "tokens") { fill(box); return; }
  if (me.name) {
    fill(box, el("span", {}, me.name), el("button", { onclick: () => { signOut(); location.reload(); } }, "Sign out"));
    return;
  }
  const field = el("input", { type: "password", placeholder: "access token", "aria-label": "Access token", autocomplete: "off", size: 18 });
  fill(box, el("form", { class: "row", onsubmit: async (event) => {
    event.preventDefault();
    await signIn(field.value.trim());
    who();
    go();
  } }, field, el("button", { class: "main" }, "Sign in")));
}

window.addEventListener("hashchange", go);
window.addEventListener("unhandledrejection", (event) => notice(event.reason?.message ?? "that did not work", true));
await signIn(null).catch((error) => notice(error.message, true));
who();
await go();
