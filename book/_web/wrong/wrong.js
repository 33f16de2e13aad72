/**
 * "Something is wrong here": carries the sentence that the reader marked, or touched last, to where it is reported.
 *
 * With an address of the project's issues the button opens a filled form there; without one it copies the same text.
 * Nothing is sent before the reader asks for it.  No module: browsers load those from a server alone, and the pages
 * open from a folder, too.
 */

{
const LONGEST = 400; // characters of a quoted passage

/** The text without what only the page needs: anchors, marks, formulas twice. @param {Node} node */
function plain(node) {
  const copy = document.createElement("div");
  copy.append(node.cloneNode(true));
  copy.querySelectorAll(".headerlink, .rb-badge, mjx-assistive-mml, script, style").forEach((part) => part.remove());
  return (copy.textContent ?? "").replace(/\s+/g, " ").trim();
}

/** The sentence of a text that holds a place in it. @param {string} text @param {string} word */
function sentence(text, word) {
  const all = text.match(/[^.!?]+(?:[.!?](?!\s|$)[^.!?]*)*[.!?]*\s*/g) ?? [text];
  return (all.find((one) => one.includes(word)) ?? all[0] ?? "").trim();
}

/** What the report says. @param {{page: string, quote: string, version: string}} about */
function report({ page, quote, version }) {
  const said = quote ? `> ${quote.slice(0, LONGEST)}\n\n` : "";
  return `${said}Page: ${page}\nVersion: ${version}\n\nWhat is wrong with it: `;
}

/** @param {HTMLElement} foot */
function listen(foot) {
  const article = foot.closest("article") ?? document.body;
  const status = /** @type {HTMLElement} */ (foot.querySelector("[role=status]"));
  const button = /** @type {HTMLButtonElement} */ (foot.querySelector("button.rb-wrong"));
  let quote = "";

  const marked = () => {
    const chosen = getSelection();
    if (!chosen || chosen.isCollapsed || !chosen.rangeCount) return "";
    const range = chosen.getRangeAt(0);
    const inside = article.contains(range.commonAncestorContainer) && !foot.contains(range.commonAncestorContainer);
    return inside ? plain(range.cloneContents()) : "";
  };

  document.addEventListener("selectionchange", () => {
    const text = marked();
    if (text) quote = text;
  });
  article.addEventListener("click", (event) => {
    const target = /** @type {Element} */ (event.target);
    const paragraph = target.closest?.("p, li, figcaption, dd, td");
    if (!paragraph || foot.contains(target) || marked()) return;
    const place = document.caretPositionFromPoint?.(event.clientX, event.clientY);
    const text = place?.offsetNode.textContent?.slice(place.offset).replace(/\s+/g, " ").trim() ?? "";
    quote = sentence(plain(paragraph), text.split(/[.!?]/)[0].slice(0, 20));
  });

  button.addEventListener("click", async () => {
    const page = document.title;
    const body = report({ page: `${page} (${location.pathname.split("/").pop()})`, quote, version: foot.dataset.version ?? "" });
    const issues = foot.dataset.issues;
    if (issues) {
      const query = new URLSearchParams({ title: `Something is wrong: ${page.split(" — ")[0]}`, body });
      open(`${issues}?${query}`, "_blank", "noopener");
      status.textContent = "A form is open in another tab; nothing was sent.";
      return;
    }
    status.textContent = await copied(body);
  });
  button.hidden = false;

  const copy = foot.querySelector("button.rb-copy");
  copy?.addEventListener("click", async () => {
    status.textContent = await copied(foot.querySelector("pre")?.textContent ?? "");
  });
  if (copy instanceof HTMLElement) copy.hidden = false;
}

/** Copy, and say what happened. @param {string} text */
async function copied(text) {
  try {
    await navigator.clipboard.writeText(text);
    return `Copied: ${text.replace(/\s+/g, " ").slice(0, 120)}`;
  } catch {
    return text; // to be copied by hand
  }
}

document.querySelectorAll(".rb-foot").forEach((foot) => listen(/** @type {HTMLElement} */ (foot)));
}
