// Asks the service; the token, where there is one, goes in the header and lives as long as this tab.
const BASE = "/api/v1";
const KEY = "skysift-token";

export const me = { name: "", groups: [], admin: false, sign_in: "local" };

function headers(more = {}) {
  const token = sessionStorage.getItem(KEY);
  return token ? { ...more, Authorization: `Bearer ${token}` } : more;
}

async function fault(answer) {
  const told = await answer.json().catch(() => null);
  return new Error(told?.detail ?? `the service answered ${answer.status}`);
}

export async function api(path, { method = "GET", body, etag, text = false } = {}) {
  const more = { ...(body === undefined ? {} : { "Content-Type": "application/json" }), ...(etag ? { "If-None-Match": etag } : {}) };
  const answer = await fetch(BASE + path, { method, headers: headers(more), body: body === undefined ? undefined : JSON.stringify(body), cache: "no-store" });
  if (answer.status === 304) return null;
  if (!answer.ok) throw await fault(answer);
  if (answer.status === 204) return null;
  if (text) return answer.text();
  const got = await answer.json();
  if (etag !== undefined) Object.defineProperty(got, "etag", { value: answer.headers.get("etag") });
  return got;
}

export async function signIn(token) {
  if (token !== null) sessionStorage.setItem(KEY, token);
  try { Object.assign(me, await api("/me")); }
  catch (error) {
    sessionStorage.removeItem(KEY);
    Object.assign(me, await api("/me"));
    throw error;
  }
}

export function signOut() { sessionStorage.removeItem(KEY); }

// Server-sent events by fetch, which can carry the header; asks again where the stream broke off.
export async function stream(path, signal, tell) {
  let last = "";
  for (let tries = 0; tries < 20 && !signal.aborted; tries += 1) {
    try {
      const answer = await fetch(BASE + path, { headers: headers({ Accept: "text/event-stream", ...(last ? { "Last-Event-ID": last } : {}) }), signal, cache: "no-store" });
      if (!answer.ok) throw await fault(answer);
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        const { value, done } = await reader.read();
        if (done) break;
        tries = 0;
        const parts = (rest + value).split("\n\n");
        rest = parts.pop();
        for (const part of parts) {
          const one = Object.fromEntries(part.split("\n").filter((line) => !line.startsWith(":")).map((line) => [line.split(": ", 1)[0], line.slice(line.indexOf(": ") + 2)]));
          if (!one.event) continue;
          if (one.id) last = one.id;
          tell(one.event, JSON.parse(one.data));
          if (one.event === "end" || one.event === "gone") return;
        }
      }
    } catch (error) {
      if (signal.aborted) return;
      if (tries > 5) throw error;
    }
    await new Promise((then) => setTimeout(then, 500 + 500 * tries));
  }
}

export const download = {
  // Send a file as it is; XMLHttpRequest tells how far it is.
  send(file, tell = () => {}) {
    return new Promise((done, failed) => {
      const asked = new XMLHttpRequest();
      asked.open("POST", `${BASE}/uploads?name=${encodeURIComponent(file.name)}`);
      for (const [name, value] of Object.entries(headers({ "Content-Type": "application/octet-stream" }))) asked.setRequestHeader(name, value);
      asked.upload.onprogress = (event) => tell(event.loaded / event.total);
      asked.onerror = () => failed(new Error(`${file.name}: the service broke off`));
      asked.onload = () => {
        const told = JSON.parse(asked.responseText || "{}");
        if (asked.status === 201) done(told);
        else failed(new Error(`${file.name}: ${told.detail ?? asked.status}`));
      };
      asked.send(file);
    });
  },
};
