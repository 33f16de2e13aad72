/** The map of the levels: a row for each chapter, a button for each level. */

import { make } from "../prove/shown.js";

export class LevelMap {
  /** @param {{part: string, level: object, box: Element}[]} all @param {(at: number) => void} open */
  constructor(all, open) {
    this.buttons = all.map(({ level }, at) => {
      const button = make("button", { type: "button", className: "rb-stop" });
      button.addEventListener("click", () => open(at));
      button.title = level.title;
      return button;
    });
    const parts = [...new Set(all.map(({ part }) => part))];
    const rows = parts.map((part) => {
      const stops = all.flatMap((one, at) => (one.part === part ? [make("li", {}, this.buttons[at])] : []));
      return make("li", {}, make("span", { className: "rb-part-name" }, part), make("ol", { className: "rb-stops" }, ...stops));
    });
    this.titles = all.map(({ level }) => level.title);
    this.count = make("span", {});
    this.bar = make("progress", { max: all.length, value: 0, "aria-label": "levels solved" });
    this.element = make(
      "details", { className: "rb-map", open: innerWidth > 700 },
      make("summary", {}, "Levels: ", this.count, this.bar), make("ol", { className: "rb-parts" }, ...rows),
    );
  }

  /** @param {(at: number) => boolean} solved @param {(at: number) => boolean} reached @param {number} here */
  show(solved, reached, here) {
    this.buttons.forEach((button, at) => {
      const [done, free] = [solved(at), reached(at)];
      button.textContent = done ? "✓" : String(at + 1);
      button.className = `rb-stop${done ? " rb-done" : ""}`;
      button.disabled = !free;
      button.setAttribute("aria-label", `Level ${at + 1}, ${this.titles[at]}${done ? ", solved" : free ? "" : ", not reached"}`);
      if (at === here) button.setAttribute("aria-current", "step");
      else button.removeAttribute("aria-current");
    });
    const many = this.buttons.filter((_, at) => solved(at)).length;
    this.count.textContent = `${many} of ${this.buttons.length} solved`;
    this.bar.value = many;
  }
}
