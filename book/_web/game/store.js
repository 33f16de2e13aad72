/** What the browser keeps of a reader: in localStorage where it may be used, else for this visit. */

const NAME = "rb-game";

export class Store {
  constructor() {
    this.kept = {};
    try {
      this.kept = JSON.parse(localStorage.getItem(NAME)) || {};
    } catch {
      /* not allowed, or not ours: begin anew */
    }
  }

  get(key, otherwise) {
    return this.kept[key] ?? otherwise;
  }

  set(key, value) {
    this.kept[key] = value;
    try {
      localStorage.setItem(NAME, JSON.stringify(this.kept));
    } catch {
      /* it lasts as long as the page */
    }
  }

  clear() {
    this.kept = {};
    try {
      localStorage.removeItem(NAME);
    } catch {
      /* nothing was kept */
    }
  }
}
