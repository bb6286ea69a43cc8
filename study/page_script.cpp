#include <weft/study/page.h>

namespace weft::study {

// Everything it adds (buttons to sort, fields to filter, cards) is added by the script itself: without it nothing on
// the page is dead. Names and texts of the data enter as text nodes only, so that none of them can be markup.
const char* const page_script = R"js('use strict';
(() => {
  const h = (tag, props = {}, ...kids) => {
    const e = document.createElement(tag);
    for (const [k, v] of Object.entries(props)) k in e && k !== 'role' ? e[k] = v : e.setAttribute(k, v);
    e.append(...kids.flat().filter(kid => kid !== null && kid !== ''));
    return e;
  };
  const key = cell => cell.dataset.v ?? cell.textContent.trim();
  const number = s => /^[<>]?[-−+]?\.?\d/.test(s) ? parseFloat(s.replace(/^[<>]/, '').replace('−', '-')) : NaN;

  function sortable(table) {
    const heads = [...table.tHead.rows[0].cells], body = table.tBodies[0];
    heads.forEach((head, column) => {
      const button = h('button', {type: 'button'}, ...head.childNodes);
      head.append(button);
      button.addEventListener('click', () => {
        const up = head.getAttribute('aria-sort') !== 'ascending';
        heads.forEach(other => other.removeAttribute('aria-sort'));
        head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
        const rows = [...body.rows].map(row => ({row, s: key(row.cells[column])}));
        rows.forEach(r => { r.n = number(r.s); });
        const numeric = rows.every(r => !Number.isNaN(r.n) || r.s === '' || r.s === '–');
        const order = (a, b) => numeric ? a.n - b.n : a.s.localeCompare(b.s, undefined, {numeric: true});
        // What has no value stays last in either direction.
        const none = r => numeric && Number.isNaN(r.n);
        rows.sort((a, b) => none(a) - none(b) || (none(a) ? 0 : up ? order(a, b) : order(b, a)));
        body.append(...rows.map(r => r.row));
      });
    });
  }

  function filterable(table) {
    const rows = [...table.tBodies[0].rows], texts = rows.map(row => row.textContent.toLowerCase());
    const words = h('input', {type: 'search'}), shown = h('output', {'aria-live': 'polite'});
    const tools = h('div', {className: 'tools'}, h('label', {}, 'Find', words));
    const lists = [];
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      if (!head.hasAttribute('data-choice')) return;
      const values = [...new Set(rows.map(row => key(row.cells[column])))].sort();
      if (values.length < 2 || values.length > 60) return;
      const list = h('select', {}, h('option', {value: ''}, 'all'), values.map(v => h('option', {value: '=' + v}, v || 'none')));
      lists.push([column, list]);
      tools.append(h('label', {}, head.textContent.trim(), list));
      list.addEventListener('change', apply);
    });
    words.addEventListener('input', apply);
    tools.append(shown);
    table.parentElement.before(tools);
    function apply() {
      const parts = words.value.toLowerCase().split(/\s+/).filter(Boolean);
      let count = 0;
      rows.forEach((row, i) => {
        const fits = parts.every(part => texts[i].includes(part)) &&
          lists.every(([column, list]) => !list.value || list.value === '=' + key(row.cells[column]));
        row.hidden = !fits;
        count += fits;
      });
      shown.textContent = `${count} of ${rows.length} rows`;
    }
    apply();
    return tools;
  }

  const f = (v, d = 3) => v === null || v === undefined ? '–' : v.toFixed(d);
  const signed = v => (v < 0 ? '−' : '+') + Math.abs(v).toFixed(3);
  const short = v => Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-3) ? v.toExponential(2) : String(+v.toPrecision(4));
  const percent = v => v < 1 && v > 0.995 ? '>99%' : v > 0 && v < 0.005 ? '<1%' : Math.round(100 * v) + '%';
  function bar(value, both) {
    const room = both ? 32 : 64, length = room * Math.min(1, Math.abs(value)), from = both ? 32 : 0;
    const holder = h('span');
    // Of numbers only: nothing of the data comes in here.
    holder.innerHTML = `<svg class="bar" width="64" height="6" viewBox="0 0 64 6" preserveAspectRatio="none" aria-hidden="true"><rect width="64" height="6" fill="var(--line)"/><rect x="${value < 0 ? from - length : from}" width="${length}" height="6" fill="var(--mark)"/></svg>`;
    return holder;
  }
  const table = (name, header, rows, left = 1) => h('div', {className: 'wide', tabIndex: 0, role: 'region', 'aria-label': name},
    h('table', {}, h('thead', {}, h('tr', {}, header.map((t, i) => h('th', {scope: 'col', className: i < left ? 'left' : ''}, t)))),
      h('tbody', {}, rows.map(cells => h('tr', {}, cells.map((c, i) => h(i ? 'td' : 'th', i ? {className: i < left ? 'left' : ''} : {scope: 'row'}, c)))))));

  function card(data, p) {
    const [, id, label, answer, probabilities, set, state, weights, shapley, base, drop, nearest, features, change] = p;
    const name = c => data.classes[c], sure = probabilities[answer], level = percent(data.level);
    const missing = data.modalities.filter((_, m) => state[m] === '0'), made = data.modalities.filter((_, m) => state[m] === 'g');
    const out = h('article', {className: 'card'});
    const add = (title, ...kids) => out.append(h('h4', {}, title), ...kids);
    out.append(h('h3', {tabIndex: -1}, `Patient ${id}`));
    const says = set === null ? 'There is no prediction set: the model was kept without rows to calibrate one on.'
      : set.length === 0 ? `No class belongs to the ${level} prediction set: this case is unlike the cases the set was calibrated on.`
      : set.length === 1 ? `The ${level} prediction set holds only ${name(set[0])}.`
      : set.length === data.classes.length ? `The ${level} prediction set holds every class: at this level nothing can be ruled out.`
      : `The ${level} prediction set cannot be narrowed below ${set.map(name).join(' or ')}.`;
    out.append(h('div', {className: 'answer'}, h('p', {className: 'big'}, h('strong', {}, name(answer)), `, probability ${percent(sure)}`), h('p', {}, says),
      h('p', {}, label === null ? 'The true class is not known.' : label === answer ? `True class: ${name(label)}; the answer is right.` : `True class: ${name(label)}; the answer is wrong.`)));
    const order = probabilities.map((v, c) => [v, c]).sort((a, b) => b[0] - a[0]).slice(0, 8);
    const columns = h('div', {className: 'columns'});
    const block = (title, ...kids) => columns.append(h('div', {}, h('h4', {}, title), ...kids));
    block('Probabilities', table('Probabilities', ['Class', 'Probability'], order.map(([v, c]) => [name(c), [f(v), bar(v)]])),
      order.length < probabilities.length ? h('p', {className: 'soft'}, `The ${order.length} most probable of ${probabilities.length} classes.`) : '');
    const under = (name, note) => note ? [name, h('br'), h('small', {className: 'soft'}, note)] : name;
    block('Evidence', table('Evidence of each modality', ['Modality', ...(weights ? ['Weight'] : []), 'Shapley', 'Lost without it'],
      data.modalities.map((m, i) => [under(m, {'0': 'missing', g: 'generated'}[state[i]]), ...(weights ? [[f(weights[i]), bar(weights[i])]] : []), [signed(shapley[i]), bar(shapley[i], true)], state[i] === '0' ? '–' : signed(drop[i])])),
      h('p', {className: 'soft'}, `Shapley values say how much each modality moved the probability of ${name(answer)}: from ${f(base)} with nothing known to ${f(base + shapley.reduce((a, b) => a + b, 0))}. "Lost without it": by how much that probability falls when the modality alone is taken away.`),
      missing.length ? h('p', {}, `Missing: ${missing.join(', ')}; weighed 0.`) : '',
      made.length ? h('p', {}, `Generated from the other modalities, not measured: ${made.join(', ')}.`) : '');
    const same = nearest.filter(n => n[1] === answer).length, facts = h('dl', {className: 'facts'});
    const fact = (what, text) => facts.append(h('dt', {}, what), h('dd', {}, text));
    if (nearest.length) fact('Neighbours', `${same} of the ${nearest.length} nearest training cases are of the class answered here (${name(answer)}).${2 * same < nearest.length ? ' Beware: most look like another class.' : ''}`);
    const k = Math.min(9, Math.max(0, Math.ceil(sure * 10 - 1e-9) - 1)), bin = data.bins && data.bins[k];
    if (bin) fact('Certainty', bin[0] ? `Of ${bin[0]} ${data.bins_of} answered with ${10 * k} to ${10 * (k + 1)}% certainty, ${percent(bin[2])} were right.${bin[0] < 20 ? ' That is few to judge by.' : ''}` : `No ${data.bins_of} had a certainty like this one: nothing is known about how often such answers are right.`);
    block('How reliable', facts);
    if (nearest.length) block('Nearest training cases', table('Nearest training cases', ['Case', 'Class', 'Distance'], nearest.map(([n, c, d]) => [n, name(c), short(d)]), 2));
    if (features.length) block('What counted most', table('Features that counted most', ['Feature', 'Value', 'Attribution'],
      features.map(([m, n, v, a]) => [under(data.names[n], data.modalities[m]), short(v), signed(a)])),
      h('p', {className: 'soft'}, `Attribution: what the feature added to the evidence for ${name(answer)} (integrated gradients); the largest ones.`));
    if (change) block('What would change the answer', h('p', {}, `The answer would become ${name(change[1])} if in ${data.modalities[change[0]]} these values alone were other ones:`),
      table('Changes that turn the answer', ['Feature', 'From', 'To'], change[2].map(([n, a, b]) => [data.names[n], short(a), short(b)])),
      change[3] ? h('p', {}, `And ${change[3]} further values.`) : '',
      h('p', {className: 'soft'}, 'The smallest change found; what the model does, not advice on treatment.'));
    else block('What would change the answer', h('p', {}, 'No change within a single modality was found that turns this answer.'));
    out.append(columns, h('p', {className: 'soft'}, data.about));
    return out;
  }

  function patients(source) {
    const data = JSON.parse(source.textContent), list = document.getElementById('patient-list'), place = h('div', {id: 'cards'});
    const rows = [...list.tBodies[0].rows], tools = filterable(list), wide = list.parentElement;
    wide.after(place);
    const show = (which, focus) => {
      place.replaceChildren(...which.map(i => card(data, data.patients[i])));
      place.querySelectorAll('.card').forEach((each, at) => {
        const i = which[at];
        each.append(h('button', {type: 'button', onclick: () => {
          each.classList.add('alone');
          document.body.classList.add('one-card');
          print();
          document.body.classList.remove('one-card');
          each.classList.remove('alone');
        }}, 'Print this card'), ' ');
        each.append(h('button', {type: 'button', onclick: () => { each.remove(); rows[i].querySelector('button').focus(); }}, 'Close and back to the list'));
      });
      if (focus && which.length) { const title = place.querySelector('h3'); title.focus(); title.scrollIntoView(); }
    };
    rows.forEach((row, i) => {
      const head = row.cells[0];
      head.replaceChildren(h('button', {type: 'button', 'aria-label': `Card of patient ${head.textContent}`, onclick: () => {
        history.replaceState(null, '', '#patient-' + data.patients[i][0]);
        show([i], true);
      }}, head.textContent));
    });
    const most = 100;
    tools.append(h('button', {type: 'button', onclick: () => show(rows.map((row, i) => [row, i]).filter(([row]) => !row.hidden).slice(0, most).map(([, i]) => i), true)}, `Cards of all rows listed (at most ${most})`));
    const from_link = () => {
      const match = /^#patient-(\d+)$/.exec(location.hash);
      const i = match ? data.patients.findIndex(p => String(p[0]) === match[1]) : -1;
      if (i >= 0) show([i], true);
    };
    addEventListener('hashchange', from_link);
    from_link();
  }

  const source = document.getElementById('patients-data');
  if (source) patients(source);
  document.querySelectorAll('table[data-filter]').forEach(filterable);
  document.querySelectorAll('table[data-sort]').forEach(sortable);
})();
)js";

}  // namespace weft::study
