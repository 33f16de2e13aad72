/* Starts the page "Try an inequality". A classic script, which can say why the page does not work from the disk. */
(() => {
  "use strict";
  const here = document.currentScript.src;
  const begin = async () => {
    const place = document.getElementById("rb-try");
    if (!place) return;
    if (location.protocol === "file:") {
      place.textContent =
        "This page was opened from the disk, where a browser starts no solver. Serve the folder of the pages " +
        "(python -m http.server) and open it from there.";
      return;
    }
    const { start } = await import(new URL("try.js", here).href);
    start(place);
  };
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
})();
