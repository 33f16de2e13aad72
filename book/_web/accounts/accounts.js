/*
 * Filters for the rows of the ledger and the boxes of the theorems.  The rows stand as text in <noscript>; each is
 * made when it is shown, and its formulas are set then.  A classic script, so that it works from the disk, too.
 */
(() => {
  "use strict";
  const AT_ONCE = 15;
  const FILTERS = ["chapter", "kind", "verdict"];

  /** Read rows from the text: of a table its rows, else the boxes. */
  function read(holder) {
    const whole = new DOMParser().parseFromString(holder.querySelector("noscript").textContent, "text/html");
    const table = whole.querySelector("table");
    if (!whole.querySelector(".rb-theorem")) {
      const heads = [...table.querySelectorAll("thead th")].map((head) => head.textContent.trim().toLowerCase());
      const rows = [...table.querySelectorAll("tbody > tr")].map((node) => ({ node, ...labels(node, heads) }));
      const frame = table.cloneNode(true);
      frame.querySelector("tbody").replaceChildren();
      return { rows, frame, body: frame.querySelector("tbody") };
    }
    const rows = [...whole.querySelectorAll(".rb-theorem")].map((node) => ({
      node,
      chapter: node.textContent.match(/From (?:chapter|appendix) (\S+)\./)?.[1].padStart(2, "0"),
    }));
    const frame = document.createElement("div");
    return { rows, frame, body: frame };
  }

  /** What a row is filtered by: a word of the cell below that heading. */
  function labels(row, heads) {
    const of = (name) => row.cells[heads.indexOf(name)]?.textContent.match(/[\w-]+/)?.[0];
    return Object.fromEntries(FILTERS.map((name) => [name, of(name)]));
  }

  function typeset(nodes) {
    const set = () => window.MathJax?.typesetPromise?.(nodes);
    return window.MathJax?.startup?.promise ? MathJax.startup.promise.then(set) : Promise.resolve();
  }

  /** Boxes that unfold: what is inside is made at the first opening. */
  function unfoldable(row) {
    row.querySelectorAll(".dropdown").forEach((box) => {
      const details = document.createElement("details");
      details.className = "rb-fold";
      const line = document.createElement("summary");
      line.append(...box.querySelector(".admonition-title").childNodes);
      const inside = document.createElement("template");
      box.querySelector(".admonition-title").remove();
      inside.content.append(...box.childNodes);
      details.append(line, inside);
      const open = () => {
        const made = [...inside.content.children];
        inside.replaceWith(inside.content);
        typeset(made);
      };
      details.addEventListener("toggle", open, { once: true });
      box.replaceWith(details);
    });
    return row;
  }

  function control(name, inner) {
    const label = document.createElement("label");
    label.append(`${name[0].toUpperCase()}${name.slice(1)} `, inner);
    return label;
  }

  function choice(name, rows) {
    const values = [...new Set(rows.map((row) => row[name]).filter(Boolean))];
    if (values.length < 2) return null;
    const select = document.createElement("select");
    select.name = name;
    select.append(new Option("all", ""), ...values.sort().map((value) => new Option(value, value)));
    return select;
  }

  /** Choose what an address asks for, also if no row has it: then none is shown. */
  function choose(select, value) {
    if (![...select.options].some((option) => option.value === value)) select.append(new Option(value, value));
    select.value = value;
  }

  function start(holder, first) {
    const { rows, frame, body } = read(holder);
    rows.forEach((row) => (row.text = row.node.textContent.toLowerCase()));
    const form = document.createElement("form");
    form.className = "rb-filter";
    const search = document.createElement("input");
    search.type = "search";
    search.name = "text";
    const selects = FILTERS.map((name) => choice(name, rows)).filter(Boolean);
    form.append(control("text", search), ...selects.map((select) => control(select.name, select)));
    const count = document.createElement("p");
    count.setAttribute("role", "status");
    count.className = "rb-count";
    const more = document.createElement("button");
    more.type = "button";
    more.className = "rb-more";
    more.textContent = "Show more";
    holder.replaceChildren(form, count, frame, more);
    let found = rows;
    let shown = 0;

    function bring(many) {
      const fresh = found.slice(shown, shown + many).map(({ node }) => unfoldable(document.importNode(node, true)));
      body.append(...fresh);
      shown += fresh.length;
      more.hidden = shown >= found.length;
      count.textContent = `${found.length.toLocaleString("en")} of ${rows.length.toLocaleString("en")} ${holder.dataset.of}`;
      return typeset(fresh);
    }

    function filter() {
      const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
      found = rows.filter(
        (row) =>
          selects.every(({ name, value }) => !value || row[name] === value) &&
          words.every((word) => row.text.includes(word)),
      );
      body.replaceChildren();
      shown = 0;
      bring(AT_ONCE);
    }

    /** Show the row that a link leads to, before all others. */
    function follow() {
      const id = decodeURIComponent(location.hash.slice(1));
      const wanted = id && rows.find(({ node }) => node.id === id || node.querySelector(`[id="${CSS.escape(id)}"]`));
      if (!wanted) return;
      form.reset(); // the row need not pass the filters
      if (first) history.replaceState(null, "", location.pathname + location.hash);
      found = [wanted, ...rows.filter((row) => row !== wanted)];
      body.replaceChildren();
      shown = 0;
      const done = bring(AT_ONCE);
      const target = document.getElementById(id);
      target.classList.add("rb-found");
      target.scrollIntoView({ block: "center" });
      done.then(() => target.scrollIntoView({ block: "center" }));
    }

    function remember() {
      if (!first) return;
      const chosen = new URLSearchParams([...new FormData(form)].filter(([, value]) => value));
      history.replaceState(null, "", `${location.pathname}${chosen.size ? `?${chosen}` : ""}`);
    }

    if (first) {
      const asked = new URLSearchParams(location.search);
      search.value = asked.get("text") ?? "";
      selects.forEach((select) => choose(select, asked.get(select.name) ?? ""));
    }
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", () => (filter(), remember()));
    more.addEventListener("click", () => bring(AT_ONCE));
    addEventListener("hashchange", follow);
    addEventListener("beforeprint", () => bring(found.length));
    filter();
    follow();
  }

  document.querySelectorAll(".rb-rows").forEach((holder, i) => start(holder, i === 0));
})();
