/**
 * Starts a deck.  Formulas are set first, then each slide gets the largest text with which all of it fits, then
 * reveal.js takes over.  The document says `data-slides="ready"` when all is done.
 */
(function () {
  "use strict";
  const LARGEST = 38;
  const BESIDE = 28; // the largest text beside a figure, which has the room
  const SMALLEST = 20;
  const FIGURE = 340; // the least height of a picture with text below it

  /** Whether anything of a slide is outside of it, or of the place of its text. */
  function overflows(sheet) {
    const body = sheet.querySelector(".body") || sheet;
    if (body.scrollHeight > body.clientHeight + 1 || body.scrollWidth > body.clientWidth + 1) return true;
    if (sheet.scrollHeight > sheet.clientHeight + 1 || sheet.scrollWidth > sheet.clientWidth + 1) return true;
    const text = sheet.querySelector(".text");
    if (text && (text.scrollHeight > text.clientHeight + 1 || text.scrollWidth > text.clientWidth + 1)) return true;
    const image = sheet.querySelector("figure img");
    return Boolean(image && image.getBoundingClientRect().height < FIGURE);
  }

  /** Give each slide the largest text with which it fits. */
  function fit() {
    document.body.classList.add("measuring");
    for (const sheet of document.querySelectorAll(".slides .sheet")) {
      let size = sheet.querySelector("figure") ? BESIDE : LARGEST;
      sheet.style.setProperty("--size", size + "px");
      while (size > SMALLEST && overflows(sheet)) {
        size -= 1;
        sheet.style.setProperty("--size", size + "px");
      }
      sheet.dataset.size = String(size);
    }
    document.body.classList.remove("measuring");
  }

  async function start() {
    if (window.MathJax && window.MathJax.startup) await window.MathJax.startup.promise;
    await document.fonts.ready;
    await Promise.all(Array.from(document.images, (image) => image.decode().catch(() => null)));
    fit();
    // on paper reveal.js goes on after it says that it is done
    const deck = document.querySelector(".reveal");
    const laid = new Promise((done) => deck.addEventListener("pdf-ready", done, { once: true }));
    await window.Reveal.initialize({
      width: 1280,
      height: 720,
      margin: 0,
      center: false,
      display: "flex",
      hash: true,
      slideNumber: "c/t",
      transition: "none",
      backgroundTransition: "none",
      pdfSeparateFragments: false,
      pdfMaxPagesPerSlide: 1,
      plugins: [window.RevealNotes],
    });
    if (window.Reveal.getConfig().view === "print") await laid;
    document.documentElement.dataset.slides = "ready";
  }

  window.addEventListener("load", () => void start());
})();
