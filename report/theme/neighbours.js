/* The table of the neighbour map: searched, filtered, sorted and paged where it stands. Its data (one JSON, see
   wake2vec/report/neighbour_page.py) hold words of a text and of a vocabulary, so everything is shown as text. */

(() => {
  "use strict";

  const source = document.getElementById("neighbour-map");
  const table = document.querySelector("#tbl-neighbour_map table");
  const data = source && JSON.parse(source.textContent);
  if (!data || !table) return;

  const { columns, strings, per_page: perPage } = data;
  const total = columns[0].values.length;
  const near = columns.filter((column) => column.kind === "neighbours");
  const seen = columns.find((column) => column.kind === "number").values;
  const headers = [...table.tHead.rows[0].cells];
  const body = table.tBodies[0];

  // What is looked for and what is looked in are folded alike: no accents, no case (capitals: "ß" is "SS" there).
  const plain = /^[ -~▁]*$/; // most are, and need no more than capitals
  const unaccented = (text) => text.normalize("NFKD").replace(/\p{M}+/gu, "");
  const bare = (text) => unaccented(text).replace(/[‘’]/g, "'").replace(/[‐‑]/g, "-");
  const fold = (text) => (plain.test(text) ? text : bare(text)).toUpperCase();
  const texts = columns.filter((column) => column.kind === "text");
  const folded = new Map(texts.map((column) => [column, column.values.map(fold)]));
  const haystack = columns[0].values.map((_, row) => texts.map((column) => folded.get(column)[row]).join("\n"));
  let foldedStrings = null; // many: made when first looked in

  // State: all rows as last sorted, those that match, and the page of them that is shown.
  let order = Array.from({ length: total }, (_, row) => row);
  let matches = order;
  let page = 0;

  // Sorting --------------------------------------------------------------------------------------------------------

  const keys = new Map();

  /** A number for every row by which a column sorts; NaN, which comes last, for a cell without a value. */
  function keyOf(column) {
    if (!keys.has(column)) keys.set(column, column.kind === "text" ? ranks(column) : figures(column));
    return keys.get(column);
  }

  function ranks(column) {
    const text = folded.get(column);
    const rank = new Float64Array(total).fill(NaN);
    const rows = Array.from({ length: total }, (_, row) => row).filter((row) => column.values[row] !== "–");
    rows.sort((a, b) => (text[a] < text[b] ? -1 : text[a] > text[b] ? 1 : 0));
    rows.forEach((row, place) => {
      const equal = place > 0 && text[rows[place - 1]] === text[row];
      rank[row] = equal ? rank[rows[place - 1]] : place;
    });
    return rank;
  }

  function figures({ kind, values, base, k }) {
    if (kind !== "neighbours") return Float64Array.from(values, (value) => value ?? NaN);
    return Float64Array.from({ length: total }, (_, row) => (k && base[0][row * k] >= 0 ? base[1][row * k] : NaN));
  }

  /** Rows that are equal keep the order that they had; so sorting by one column and then by another does both.
      (Only NaN is not itself.) */
  function sort(column, sign) {
    const key = keyOf(column);
    order = order.slice().sort((a, b) => {
      const x = key[a];
      const y = key[b];
      return x === x && y === y ? sign * (x - y) : (x !== x) - (y !== y);
    });
  }

  // Searching ------------------------------------------------------------------------------------------------------

  /** Whether each row holds a folded term, in its own text or, if asked, among its neighbours. */
  function holds(term, amongNeighbours) {
    if (!amongNeighbours) return (row) => haystack[row].includes(term);
    foldedStrings ??= strings.map(fold);
    const hit = Uint8Array.from(foldedStrings, (text) => text.includes(term));
    const beside = new Uint8Array(total);
    for (const { k, base, new: words } of near) {
      for (const [names] of [base, words]) {
        for (let i = 0; i < names.length; i++) if (hit[names[i]]) beside[Math.floor(i / k)] = 1;
      }
    }
    return (row) => beside[row] === 1 || haystack[row].includes(term);
  }

  function search() {
    const tests = fold(query.value).split(/\s+/).filter(Boolean).map((term) => holds(term, among.checked));
    const least = Number(atLeast.value) || 0;
    matches = order.filter((row) => seen[row] >= least && tests.every((test) => test(row)));
    page = 0;
    show();
  }

  // Showing --------------------------------------------------------------------------------------------------------

  const whole = (value) => value.toLocaleString("en-GB");

  function decimals(value, digits) {
    const text = value.toFixed(digits);
    return Number(text) === 0 ? text.replace("-", "") : text.replace("-", "−");
  }

  function list(k, [names, cosines], row) {
    const found = [];
    for (let i = row * k; i < (row + 1) * k && names[i] >= 0; i++) {
      found.push(`${strings[names[i]]}\u00a0${decimals(cosines[i] / 100, 2)}`);
    }
    return found.join("\u00a0· ") || "–";
  }

  function cell(column, header, row) {
    const made = document.createElement("td");
    made.style.textAlign = header.style.textAlign;
    if (column.kind === "neighbours") {
      made.append(`${list(column.k, column.base, row)} `, element("span", "words", list(column.k, column.new, row)));
    } else {
      const value = column.values[row];
      const text = { text: String, number: whole, cosine: (cosine) => decimals(cosine, 3) }[column.kind];
      made.textContent = value === null ? "–" : text(value);
    }
    return made;
  }

  function show() {
    const pages = Math.max(1, Math.ceil(matches.length / perPage));
    const rows = matches.slice(page * perPage, (page + 1) * perPage).map((row) => {
      const line = document.createElement("tr");
      line.append(...columns.map((column, at) => cell(column, headers[at], row)));
      return line;
    });
    if (!rows.length) {
      const line = document.createElement("tr");
      line.append(element("td", "", "No word matches."));
      line.firstChild.colSpan = columns.length;
      rows.push(line);
    }
    body.replaceChildren(...rows);
    const some = matches.length < total ? `${whole(matches.length)} of ` : "";
    counted.textContent = `${some}${whole(total)} words`;
    placed.textContent = `page ${whole(page + 1)} of ${whole(pages)}`;
    first.disabled = previous.disabled = page === 0;
    next.disabled = last.disabled = page >= pages - 1;
  }

  // Controls -------------------------------------------------------------------------------------------------------

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.textContent = text;
    return made;
  }

  function field(type, before, after, settings) {
    const input = Object.assign(document.createElement("input"), { type, ...settings });
    const label = element("label", "", before);
    label.append(input, after);
    return [label, input];
  }

  function turn(text, name, target) {
    const button = element("button", "", text);
    button.type = "button";
    button.setAttribute("aria-label", `${name} page`);
    button.addEventListener("click", () => {
      page = Math.max(0, Math.min(target(), Math.ceil(matches.length / perPage) - 1));
      show();
    });
    return button;
  }

  const [queryLabel, query] = field("search", "Search words and parts ", "", { spellcheck: false });
  const [amongLabel, among] = field("checkbox", "", " and neighbours", {});
  const [leastLabel, atLeast] = field("number", "Seen at least ", " times in training", { min: "0", value: "0" });
  const counted = element("span", "", "");
  const placed = element("span", "", "");
  const first = turn("«", "First", () => 0);
  const previous = turn("‹", "Previous", () => page - 1);
  const next = turn("›", "Next", () => page + 1);
  const last = turn("»", "Last", () => Infinity);
  const status = element("p", "map-status", "");
  status.setAttribute("role", "status"); // read out when it changes
  status.setAttribute("aria-live", "polite");
  status.append(counted, ", ", placed);
  const paging = element("div", "map-paging", "");
  paging.append(first, previous, next, last);
  const controls = element("div", "map-controls", "");
  controls.setAttribute("role", "search");
  controls.setAttribute("aria-label", "The table of coinages");
  controls.append(queryLabel, amongLabel, leastLabel, status, paging);
  table.before(controls);
  query.addEventListener("input", search);
  among.addEventListener("change", search);
  atLeast.addEventListener("input", search);

  columns.forEach((column, at) => {
    const header = headers[at];
    const button = element("button", "", column.title);
    button.type = "button";
    header.replaceChildren(button);
    header.setAttribute("aria-sort", column.values === seen ? "descending" : "none");
    button.addEventListener("click", () => {
      const up = { ascending: false, descending: true, none: column.kind === "text" }[header.getAttribute("aria-sort")];
      headers.forEach((other) => other.setAttribute("aria-sort", "none"));
      header.setAttribute("aria-sort", up ? "ascending" : "descending");
      sort(column, up ? 1 : -1);
      search();
    });
  });
  show();
})();
