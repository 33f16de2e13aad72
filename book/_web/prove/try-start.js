/** Starts the page "Try an inequality". */

import { start } from "./try.js";

function begin() {
  const place = document.getElementById("rb-try");
  if (place) start(place);
}

if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
else begin();
