/*
 * A small box beside a link that shows what the link leads to, or beside a formula that says what its letters are.
 * A classic script, so that it works from the disk, too.  Scripts made by the build call rbHover.page and .letters.
 */
(() => {
  "use strict";
  const HERE = new URL(".", document.currentScript.src);
  const ROOT = new URL("../../", HERE);
  const BOX = "div.proof, div.exercise, div.math, figure, table, div.citation, section";
  const LEFT_OUT = "script, noscript, details, button, .headerlink, .dropdown, .rb-check, figure.rb-touch";
  const pages = {}, loads = {};
  let table = [], owner = null, waiting = 0, leaving = 0, title = null;
  window.rbHover = { page: (name, boxes) => (pages[name] = boxes), letters: (rows) => (table = rows) };

  const box = document.createElement("div");
  Object.assign(box, { id: "rb-hover", className: "rb-hover", hidden: true });
  box.setAttribute("role", "tooltip");
  document.body.append(box);

  /** Load a script made by the build, once. */
  const load = (name) => (loads[name] ??= new Promise((done) => {
    const script = document.createElement("script");
    Object.assign(script, { src: new URL(`${name}.js`, HERE), onload: done, onerror: done });
    document.head.append(script);
  }));

  /** A section's title and first paragraph. */
  function beginning(section) {
    const part = document.createElement("div"), fold = section.querySelector(":scope > details.rb-further");
    const shown = [section.querySelector("h1, h2, h3, h4, h5, h6"), (fold ?? section).querySelector(":scope > p:not(.rb-minutes)")];
    part.append(...shown.filter(Boolean).map((one) => one.cloneNode(true)));
    return part;
  }

  /** What a link leads to, as a node for the box, or nothing. */
  async function target(link) {
    const url = new URL(link.href), label = decodeURIComponent(url.hash.slice(1));
    const part = document.createElement("div");
    if (url.pathname === location.pathname) {
      const found = document.getElementById(label)?.closest("[id]");
      const whole = found?.matches(BOX) ? found : found?.parentElement?.matches("section") ? found.parentElement : null;
      if (!whole || whole.matches(".rb-touch")) return null;
      part.append(whole.matches("section") ? beginning(whole) : whole.cloneNode(true));
    } else {
      const page = url.pathname.slice(ROOT.pathname.length).replace(/\.html$/, "");
      await load(`pages/${page}`);
      const html = pages[decodeURIComponent(page)]?.[label];
      if (!html) return null;
      part.append(...new DOMParser().parseFromString(html, "text/html").body.childNodes);
    }
    part.querySelectorAll(LEFT_OUT).forEach((one) => one.remove());
    part.querySelectorAll("img").forEach((one) => (one.src = new URL(one.getAttribute("src"), url)));
    part.querySelectorAll("h1, h2, h3, h4, h5, h6").forEach((one) => {
      const line = document.createElement("p");
      line.className = "rb-hover-title";
      line.append(...one.childNodes);
      one.replaceWith(line);
    });
    part.querySelectorAll("a").forEach((one) => one.replaceWith(...one.childNodes)); // nothing in it takes the focus
    part.querySelectorAll("[id], [tabindex]").forEach((one) => ["id", "tabindex"].forEach((a) => one.removeAttribute(a)));
    return part;
  }

  /** The letters in a formula's source, longest first; a single letter counts only beside one that is the book's. */
  function lettersOf(tex) {
    let rest = tex.replace(/\\(?:text|operatorname|math(?:bb|cal|sf)|hat|tilde|bar|widehat)\s*(?:\{[^{}]*\}|\w)/g, " ");
    const found = [];
    for (const row of table) {
      if (!row.latex.includes("mathrm")) rest = rest.replace(/\\mathrm\s*\{[^{}]*\}/g, " ");
      const plain = row.latex.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
      const less = rest.replace(new RegExp(`(?<![_\\\\A-Za-z]|_\\{)${plain}(?![A-Za-z_'(])`, "g"), " ");
      if (less !== rest) found.push({ ...row, at: tex.indexOf(row.latex) });
      rest = less;
    }
    return found.some((row) => row.latex.includes("_")) ? found.sort((a, b) => a.at - b.at).slice(0, 6) : [];
  }

  async function letters(formula) {
    await load("letters");
    const item = window.MathJax?.startup?.document?.getMathItemsWithin([formula.parentElement])
      .find((one) => one.typesetRoot === formula);
    const rows = item ? lettersOf(item.math) : [];
    const list = document.createElement("dl");
    list.innerHTML = rows.map((r) => `<dt><span class="math">\\(${r.latex}\\)</span></dt><dd>${r.meaning}</dd>`).join("");
    return rows.length ? list : null;
  }

  /** Below or above what it explains, inside the window. */
  function place() {
    const at = [...owner.getClientRects()].find((one) => one.width) ?? owner.getBoundingClientRect();
    const whole = owner.getBoundingClientRect(), below = innerHeight - whole.bottom - 12, above = whole.top - 12;
    box.style.maxHeight = "";
    const under = box.offsetHeight <= below || below >= above;
    box.style.maxHeight = `${Math.min(Math.max(under ? below : above, 48), innerHeight * 0.6)}px`;
    box.style.left = `${Math.max(8, Math.min(at.left, document.documentElement.clientWidth - box.offsetWidth - 8))}px`;
    box.style.top = `${under ? whole.bottom + 4 : whole.top - 4 - box.offsetHeight}px`;
    if (box.scrollHeight > box.clientHeight + 1) box.tabIndex = 0;
  }

  async function show(of) {
    const part = await (of.matches("a") ? target(of) : letters(of));
    if (owner !== of || !part || !of.isConnected) return;
    box.replaceChildren(part);
    box.hidden = false;
    title = of.getAttribute("title");
    of.removeAttribute("title");
    if (of.matches("a")) of.setAttribute("aria-describedby", box.id);
    place();
    part.querySelectorAll("img").forEach((one) => (one.onload = () => owner === of && place()));
    await window.MathJax?.startup?.promise;
    await window.MathJax?.typesetPromise?.([part]);
    if (owner === of) place();
  }

  function hide() {
    clearTimeout(waiting);
    if (owner && !box.hidden) {
      owner.removeAttribute("aria-describedby");
      if (title !== null) owner.setAttribute("title", title);
      window.MathJax?.typesetClear?.([box]);
    }
    [owner, title, box.hidden] = [null, null, true];
    box.removeAttribute("tabindex");
    box.replaceChildren();
  }

  const inside = (node) => node instanceof Element && box.contains(node);
  const stay = () => clearTimeout(leaving);
  const leave = () => { stay(); leaving = setTimeout(hide, 200); };
  const of = (node, what) => (node instanceof Element ? node.closest(what) : null);
  const LINK = ".bd-article a[href*='#']:not(.headerlink)";
  const near = (node) => {
    const link = of(node, LINK);
    return link?.href.startsWith(ROOT.href) ? link : link ? null : of(node, ".bd-article mjx-container");
  };

  function come(to, after) {
    stay();
    if (to === owner) return;
    hide();
    owner = to;
    waiting = setTimeout(() => show(to), after);
  }

  if (matchMedia("(hover: hover)").matches) {
    document.addEventListener("mouseover", (event) => {
      const to = near(event.target);
      if (to) come(to, to.matches("a") ? 250 : 400);
      else if (inside(event.target)) stay();
    });
    document.addEventListener("mouseout", (event) => {
      if (!owner || owner === document.activeElement) return;
      const to = event.relatedTarget;
      if (!inside(to) && !owner.contains(to)) leave();
    });
  }
  document.addEventListener("focusin", (event) => {
    const link = of(event.target, LINK);
    if (link && near(link) && link.matches(":focus-visible")) come(link, 250);
    else if (inside(event.target)) stay();
    else hide();
  });
  document.addEventListener("focusout", (event) => !inside(event.relatedTarget) && leave());
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") hide();
    const step = { ArrowDown: 40, ArrowUp: -40 }[event.key];
    if (step && !box.hidden && owner === document.activeElement && box.tabIndex === 0) {
      box.scrollBy(0, step);
      event.preventDefault();
    }
  });
  document.addEventListener("scroll", (event) => !box.hidden && event.target !== box && place(), true);
})();
