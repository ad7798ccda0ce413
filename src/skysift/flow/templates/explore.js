'use strict';
(() => {
const data = JSON.parse(document.getElementById('data').textContent);
const $ = id => document.getElementById(id);
const bytes = text => Uint8Array.from(atob(text), c => c.charCodeAt(0)).buffer;
const floats = text => new Float32Array(bytes(text)), ints = text => new Int32Array(bytes(text));
const names = data.names, n = names.length, X = floats(data.x), Y = floats(data.y);
const columns = data.columns.map(c => ({...c, data: c.kind === 'class' ? ints(c.data) : floats(c.data)}));
const column = name => columns.find(c => c.name === name);
const thumbOf = ints(data.thumbs.of), T = data.thumbs;
const BAD = '#8a929c';
const KINDS = ['#3b8bd0', '#dd7a1f', '#4ba36b', '#c2417c', '#9a6bd0', '#a08a2c', '#3fb3b3', '#d2493a', '#7d6a55', '#5b6bd6', '#8fbf3f', '#e08fb8'];
const RAMP = [[68, 1, 84], [71, 44, 122], [59, 81, 139], [44, 113, 142], [33, 144, 141], [39, 173, 129], [92, 200, 99], [170, 220, 50], [253, 231, 37]];
const STEPS = 64;
const ramp = Array.from({length: STEPS}, (_, k) => {
  const t = k / (STEPS - 1) * (RAMP.length - 1), i = Math.min(Math.floor(t), RAMP.length - 2), f = t - i;
  return `rgb(${RAMP[i].map((v, j) => Math.round(v + f * (RAMP[i + 1][j] - v))).join(',')})`;
});
const text = (tag, content, attributes = {}) => Object.assign(document.createElement(tag), {textContent: content}, attributes);
const told = (c, k) => {
  if (c.kind === 'class') return c.values[c.data[k]];
  const v = c.data[k];
  return Number.isFinite(v) ? (Number.isInteger(v) ? String(v) : String(+v.toPrecision(4))) + (c.unit ? ' ' + c.unit : '') : '\u2013';
};

// -- what a person says
const said = {...data.said};
const store = 'skysift-explore-' + data.key;
let mine = {};
try { mine = JSON.parse(localStorage.getItem(store) || '{}'); } catch (error) { mine = {}; }
const say = (name, label, score) => {
  mine[name] = [label, score];
  if (!label && score === null) delete mine[name];
  try { localStorage.setItem(store, JSON.stringify(mine)); } catch (error) { /* a page that may keep nothing still works */ }
  counted();
};
const saying = name => mine[name] || said[name] || ['', null];
const all = () => ({...said, ...mine});
function counted() { $('n-scores').textContent = Object.keys(all()).length; }
const cell = value => /[",\n]/.test(value) ? '"' + value.replace(/"/g, '""') + '"' : value;
function save(name, lines) {
  const link = document.createElement('a');
  link.href = URL.createObjectURL(new Blob([lines.join('\n') + '\n'], {type: 'text/csv'}));
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
$('save-scores').onclick = () => save('scores.csv', ['name,label,score', ...Object.entries(all()).map(([name, [label, score]]) => [cell(name), cell(label), score === null ? '' : score].join(','))]);
$('clear-scores').onclick = () => { mine = {}; try { localStorage.removeItem(store); } catch (error) { /* nothing was kept */ } counted(); show(now); strange(); };

// -- the map
const map = $('map'), over = $('over'), ink = map.getContext('2d'), top2 = over.getContext('2d');
const good = [];
for (let k = 0; k < n; k++) if (Number.isFinite(X[k]) && Number.isFinite(Y[k])) good.push(k);
if (good.length === n - 1) $('hidden').textContent = '1 source without features is not on the map';
else if (good.length < n) $('hidden').textContent = `${n - good.length} sources without features are not on the map`;
let scale = 1, dx = 0, dy = 0, wide = 0, high = 0, dot = 3, colour = columns[0], bucket = new Int32Array(n), palette = [], mode = 'move';
let now = -1, chosen = [], loop = null;
function fit() {
  let x0 = Infinity, x1 = -Infinity, y0 = Infinity, y1 = -Infinity;
  for (const k of good) { x0 = Math.min(x0, X[k]); x1 = Math.max(x1, X[k]); y0 = Math.min(y0, Y[k]); y1 = Math.max(y1, Y[k]); }
  scale = Math.min((wide - 40) / (x1 - x0 || 1), (high - 60) / (y1 - y0 || 1));
  dx = wide / 2 - scale * (x0 + x1) / 2;
  dy = (high - 20) / 2 + scale * (y0 + y1) / 2;
}
const px = k => dx + scale * X[k], py = k => dy - scale * Y[k];
function sized() {
  const box = map.parentElement.getBoundingClientRect(), ratio = window.devicePixelRatio || 1, first = !wide;
  wide = box.width; high = box.height;
  for (const canvas of [map, over]) { canvas.width = wide * ratio; canvas.height = high * ratio; canvas.getContext('2d').setTransform(ratio, 0, 0, ratio, 0, 0); }
  if (first) fit();
  if (palette.length) draw();
}
function painted() {
  const legend = $('legend');
  legend.textContent = '';
  legend.append(text('b', colour.name + (colour.unit ? ` [${colour.unit}]` : '')));
  if (colour.kind === 'class') {
    palette = colour.values.map((value, k) => value === 'no group' || value === '' ? BAD : KINDS[(colour.values.includes('no group') ? k - 1 : k) % KINDS.length]);
    const count = new Int32Array(colour.values.length);
    for (let k = 0; k < n; k++) { bucket[k] = colour.data[k]; count[colour.data[k]]++; }
    colour.values.forEach((value, k) => { const mark = document.createElement('i'); mark.style.background = palette[k]; legend.append(mark, `${value === '' ? '(none)' : value} (${count[k]})`); });
  } else {
    const sorted = Float32Array.from(colour.data).filter(Number.isFinite).sort();
    const low = sorted[Math.floor(0.01 * (sorted.length - 1))], top = sorted[Math.ceil(0.99 * (sorted.length - 1))], span = top - low || 1;
    palette = [...ramp, BAD];
    const turned = colour.name === 'rank' || colour.name === 'next';
    for (let k = 0; k < n; k++) {
      const v = colour.data[k], t = (v - low) / span;
      bucket[k] = Number.isFinite(v) ? Math.round(Math.min(1, Math.max(0, turned ? 1 - t : t)) * (STEPS - 1)) : STEPS;
    }
    const bar = text('span', '', {className: 'ramp'});
    bar.style.background = `linear-gradient(90deg, ${(turned ? [...ramp].reverse() : ramp).filter((_, k) => k % 7 === 0).join(',')})`;
    legend.append(' ', sorted.length ? String(+low.toPrecision(3)) : '', bar, sorted.length ? String(+top.toPrecision(3)) : 'no numbers');
  }
  if (colour.doc) { legend.append(document.createElement('br'), colour.doc); }
  draw();
}
function draw() {
  ink.clearRect(0, 0, wide, high);
  ink.globalAlpha = good.length > 4000 ? 0.75 : 0.9;
  const of = palette.map(() => []);
  for (const k of good) {
    const x = px(k), y = py(k);
    if (x > -9 && y > -9 && x < wide + 9 && y < high + 9) of[bucket[k]].push(x, y);
  }
  const round = good.length <= 4000;
  for (let b = 0; b < of.length; b++) {
    const at = of[b];
    if (!at.length) continue;
    ink.fillStyle = palette[b];
    ink.beginPath();
    for (let i = 0; i < at.length; i += 2) {
      if (round) { ink.moveTo(at[i] + dot, at[i + 1]); ink.arc(at[i], at[i + 1], dot, 0, 7); }
      else ink.rect(at[i] - dot / 2, at[i + 1] - dot / 2, dot, dot);
    }
    ink.fill();
  }
  marked();
}
function marked() {
  top2.clearRect(0, 0, wide, high);
  const style = getComputedStyle(document.documentElement), line = style.getPropertyValue('--ink');
  top2.strokeStyle = line; top2.lineWidth = 1;
  top2.beginPath();
  for (const k of chosen) { top2.moveTo(px(k) + dot + 2, py(k)); top2.arc(px(k), py(k), dot + 2, 0, 7); }
  top2.stroke();
  if (now >= 0 && Number.isFinite(X[now])) {
    top2.lineWidth = 2.5; top2.strokeStyle = style.getPropertyValue('--warn');
    top2.beginPath(); top2.arc(px(now), py(now), dot + 6, 0, 7); top2.stroke();
  }
  if (loop && loop.length > 1) {
    top2.lineWidth = 1.5; top2.strokeStyle = style.getPropertyValue('--accent'); top2.setLineDash([5, 4]);
    top2.beginPath(); loop.forEach(([x, y], i) => i ? top2.lineTo(x, y) : top2.moveTo(x, y)); top2.closePath(); top2.stroke(); top2.setLineDash([]);
  }
}
function nearest(x, y) {
  let best = -1, least = (dot + 8) ** 2;
  for (const k of good) { const d = (px(k) - x) ** 2 + (py(k) - y) ** 2; if (d < least) { least = d; best = k; } }
  return best;
}
function inside(loop, x, y) {
  let odd = false;
  for (let i = 0, j = loop.length - 1; i < loop.length; j = i++) {
    const [xi, yi] = loop[i], [xj, yj] = loop[j];
    if ((yi > y) !== (yj > y) && x < (xj - xi) * (y - yi) / (yj - yi) + xi) odd = !odd;
  }
  return odd;
}
function thumb(k, side) {
  const box = text('span', '', {className: 'thumb'});
  box.style.width = box.style.height = side + 'px';
  const t = thumbOf[k];
  if (t >= 0) {
    const f = side / T.side, at = t % T.per;
    box.style.backgroundImage = `url(${T.sheets[Math.floor(t / T.per)]})`;
    box.style.backgroundSize = `${T.line * side}px auto`;
    box.style.backgroundPosition = `${-(at % T.line) * T.side * f}px ${-Math.floor(at / T.line) * T.side * f}px`;
  }
  return box;
}
function reach(k) {
  const pixels = T.across[thumbOf[k]];
  if (!pixels) return '';
  const far = T.scale === null ? NaN : pixels * T.scale, units = [[1, 'arcsec'], [60, 'arcmin'], [3600, 'deg']];
  const [size, unit] = units[far < 120 ? 0 : far < 7200 ? 1 : 2];
  return `shows ${pixels} pixels` + (Number.isFinite(far) ? `, ${+(far / size).toPrecision(3)} ${unit}` : '');
}
const where = event => { const box = over.getBoundingClientRect(); return [event.clientX - box.left, event.clientY - box.top]; };
let from = null, moved = false;
over.onpointerdown = event => {
  const [x, y] = where(event);
  over.setPointerCapture(event.pointerId);
  moved = false;
  if (mode === 'lasso' || event.shiftKey) loop = [[x, y]];
  else from = [x - dx, y - dy, x, y];
};
over.onpointermove = event => {
  const [x, y] = where(event), tip = $('tip');
  if (loop) { loop.push([x, y]); moved = true; marked(); return; }
  if (from) {
    if (Math.hypot(x - from[2], y - from[3]) > 3) moved = true;
    if (moved) { dx = x - from[0]; dy = y - from[1]; tip.hidden = true; draw(); }
    return;
  }
  const k = nearest(x, y);
  tip.hidden = k < 0;
  if (k < 0) return;
  tip.textContent = '';
  if (thumbOf[k] >= 0) tip.append(thumb(k, 144), text('div', reach(k), {className: 'reach'}));
  tip.append(text('b', names[k]));
  for (const c of new Set([colour, column('cluster'), column('rank')])) if (c) tip.append(text('div', `${c.name}: ${told(c, k)}`));
  tip.style.left = Math.min(x + 16, wide - 190) + 'px';
  tip.style.top = (y > high / 2 ? Math.max(4, y - tip.offsetHeight - 12) : y + 14) + 'px';
};
over.onpointerup = event => {
  const [x, y] = where(event);
  if (loop) {
    if (loop.length > 3) { chosen = good.filter(k => inside(loop, px(k), py(k))); listed(); tab('list'); }
    loop = null; marked();
  } else if (!moved) { const k = nearest(x, y); if (k >= 0) { show(k); tab('one'); } }
  from = null;
};
over.onpointerleave = () => { $('tip').hidden = true; };
over.addEventListener('wheel', event => {
  event.preventDefault();
  const [x, y] = where(event), f = Math.exp(-event.deltaY * 0.0015);
  dx = x - (x - dx) * f; dy = y - (y - dy) * f; scale *= f;
  draw();
}, {passive: false});
$('whole').onclick = () => { fit(); draw(); };
for (const each of ['move', 'lasso']) $(each).onclick = () => { mode = each; $('move').classList.toggle('on', each === 'move'); $('lasso').classList.toggle('on', each === 'lasso'); };
$('dot').oninput = event => { dot = +event.target.value; draw(); };
for (const c of columns) $('colour').append(text('option', c.name, {value: c.name, title: c.doc}));
$('colour').onchange = event => { colour = column(event.target.value); painted(); };
$('find').onchange = event => {
  const asked = event.target.value.trim().toLowerCase();
  if (!asked) return;
  let k = names.findIndex(name => name.toLowerCase() === asked);
  if (k < 0) k = names.findIndex(name => name.toLowerCase().includes(asked));
  if (k >= 0) { show(k); tab('one'); }
};

// -- the panel
function tab(which) { for (const each of ['one', 'strange', 'list']) { $(each).hidden = each !== which; $('tab-' + each).classList.toggle('on', each === which); } }
for (const each of ['one', 'strange', 'list']) $('tab-' + each).onclick = () => tab(each);
function show(k) {
  if (k < 0) return;
  now = k;
  const pane = $('one'), [label, score] = saying(names[k]);
  pane.textContent = '';
  pane.append(text('h3', names[k]));
  if (thumbOf[k] >= 0) pane.append(thumb(k, 240), text('div', reach(k), {className: 'reach'}));
  const marks = text('div', '', {className: 'marks'});
  for (let s = 0; s <= 5; s++) marks.append(text('button', s, {className: s === score ? 'on' : '', title: s === 0 ? 'dull' : s === 5 ? 'most interesting' : '', onclick: () => rate(s)}));
  pane.append(marks);
  const field = text('input', '', {value: label, placeholder: 'label, such as ring', onchange: event => { say(names[k], event.target.value.trim(), saying(names[k])[1]); }});
  const next = text('button', 'Next', {onclick: ahead, title: 'the next strangest without a score (N)'});
  const row = text('div', '', {className: 'row'});
  row.append(field, next);
  pane.append(row);
  const table = document.createElement('table');
  for (const c of columns) { const tr = document.createElement('tr'); tr.append(text('td', c.name, {title: c.doc}), text('td', told(c, k))); table.append(tr); }
  pane.append(table);
  marked();
}
function rate(s) {
  if (now < 0) return;
  const [label, score] = saying(names[now]);
  say(names[now], label, s === score ? null : s);
  show(now); strange();
}
const order = (column('next') || column('rank')).data, place = k => Number.isFinite(order[k]) ? order[k] : n + 1;
const byRank = Array.from(good).sort((a, b) => place(a) - place(b));
if (column('next')) $('tab-strange').textContent = 'Look at next';
function ahead() { const k = byRank.find(each => saying(names[each])[1] === null); if (k !== undefined) { show(k); tab('one'); } }
function tiles(pane, rows) {
  const grid = text('div', '', {className: 'grid'});
  for (const k of rows) {
    const box = text('div', '', {title: names[k], onclick: () => { show(k); tab('one'); }}), score = saying(names[k])[1];
    box.append(thumb(k, 64), names[k]);
    if (score !== null) box.append(text('em', score));
    grid.append(box);
  }
  pane.append(grid);
}
function strange() { const pane = $('strange'); pane.textContent = ''; pane.append(text('p', column('next') ? 'By the scores that were handed on with "explore label": what to look at next comes first, what has a score last. The column interest says what you would score high, rank how strange a source is without scores.' : 'The strangest first, by all methods together.', {className: 'hint'})); tiles(pane, byRank.slice(0, 120)); }
function listed() {
  const pane = $('list');
  pane.textContent = ''; $('count').textContent = chosen.length;
  if (!chosen.length) { pane.append(text('p', 'Draw around sources with the lasso, or with Shift held.', {className: 'hint'})); return; }
  const row = text('div', '', {className: 'row'});
  row.append(
    text('button', 'Copy names', {onclick: event => { const out = chosen.map(k => names[k]).join('\n'); if (navigator.clipboard) navigator.clipboard.writeText(out).then(() => { event.target.textContent = 'Copied'; }, () => save('selected.csv', ['name', ...chosen.map(k => cell(names[k]))])); else save('selected.csv', ['name', ...chosen.map(k => cell(names[k]))]); }}),
    text('button', 'Download selected.csv', {onclick: () => save('selected.csv', ['name,' + columns.map(c => cell(c.name)).join(','), ...chosen.map(k => [names[k], ...columns.map(c => c.kind === 'class' ? c.values[c.data[k]] : Number.isFinite(c.data[k]) ? String(c.data[k]) : '')].map(cell).join(','))])}),
    text('button', 'Clear', {onclick: () => { chosen = []; listed(); marked(); }}),
  );
  pane.append(row);
  const first = chosen.slice(0, 200);
  if (first.length < chosen.length) pane.append(text('p', `The first ${first.length} of ${chosen.length} are shown.`, {className: 'hint'}));
  tiles(pane, first);
}
document.addEventListener('keydown', event => {
  if (/INPUT|SELECT|TEXTAREA/.test(event.target.tagName) || event.ctrlKey || event.metaKey || event.altKey) return;
  if (/^[0-5]$/.test(event.key)) rate(+event.key);
  else if (event.key === 'n' || event.key === 'N') ahead();
  else if (event.key === 'Escape') { loop = null; chosen = []; listed(); marked(); }
});
window.addEventListener('resize', sized);
const list = text('datalist', '', {id: 'names'});
for (const name of names.slice(0, 5000)) list.append(text('option', '', {value: name}));
document.body.append(list);
sized(); painted(); counted(); strange(); listed();
window.skysift = {show, tab, choose: rows => { chosen = rows; listed(); marked(); tab('list'); }, colour: name => { colour = column(name); $('colour').value = name; painted(); }};
})();
