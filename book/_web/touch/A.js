/** Appendix A: rain, forecast and umbrella; the umbrella's owner may also look out of the window. */
import { after, entropy, fixed, information, sum } from "./laws.js";

/**
 * The informations of one day, in bits.  With probability `look` the owner goes by the rain itself.
 * @param {{rain: number, caught: number, look: number}} setting
 */
export function day({ rain, caught, look }, { alarm, dry, wet }) {
  const law = [1 - rain, rain];
  const forecast = [[1 - alarm, alarm], [1 - caught, caught]];
  const takes = [dry, wet];
  const umbrella = [0, 1].map((r) => [0, 1].map((f) => (1 - look) * takes[f] + look * takes[r])); // by rain, forecast
  const coin = (p) => [1 - p, p];
  const given = law.map((_, r) => after(forecast[r], umbrella[r].map(coin)));
  const told = after(law, forecast);
  const beyond = sum([0, 1].map((f) => {
    const share = law.map((p, r) => (p * forecast[r][f]) / told[f]);
    return told[f] * information(share, umbrella.map((row) => coin(row[f])));
  }));
  const open = sum(law.map((p, r) => p * entropy(forecast[r])));
  return { rain: entropy(law), forecast: information(law, forecast), umbrella: information(law, given), beyond, open };
}

const TENTHS = [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1];
const percent = (p) => `${Math.round(100 * p)}\u00a0%`;

/** @type {import("./figure.js").Figure} */
export const figure = {
  controls: ({ rain, caught }) => [
    { name: "rain", label: "days with rain", values: TENTHS.slice(1, -1), start: rain, say: percent },
    { name: "caught", label: "rainy days that the forecast announces", values: TENTHS, start: caught, say: percent },
    { name: "look", label: "days on which you look out of the window", values: TENTHS, start: 0, say: percent },
  ],
  show(setting, data) {
    const found = day(setting, data);
    const chain = found.beyond < 1e-9;
    const { task, model, curated, grey } = data.colors;
    const left = found.rain - found.forecast;
    const between = `the umbrella holds ${fixed(found.umbrella, 3)}, the forecast ${fixed(found.forecast, 3)} bits about the rain`;
    const texts = [found.rain, found.forecast, found.umbrella, found.beyond];
    const names = ["rain", "forecast", "umbrella", "beyond"];
    return {
      values: { "primer-rain": found.rain, "primer-forecast": found.forecast, "primer-umbrella": found.umbrella },
      line: `H(R) = ${fixed(found.rain, 3)} bits, of which the forecast tells ${fixed(found.forecast, 3)} and the umbrella ` +
        `${fixed(found.umbrella, 3)}; beyond the forecast the umbrella tells I(R;U|F) = ${fixed(found.beyond, 3)}.`,
      claims: {
        "primer-day": [chain, `I(R;U|F) = ${fixed(found.beyond, 3)} bits`],
        "primer-dpi": [found.umbrella <= found.forecast + 1e-9, chain ? between : `this is no chain, and ${between}`],
        "primer-mistake-chain": [found.open > 1e-9, `H(F|R) = ${fixed(found.open, 3)} bits`],
      },
      chart: {
        alt: names.map((name, i) => `${name} ${fixed(texts[i], 2)} bits`).join(", "),
        x: { label: "what is known of the rain", domain: [-0.6, 3.6], ticks: names.map((name, i) => [i, name]) },
        y: { label: "bits", domain: [0, 1.1] },
        marks: [
          { kind: "bar", at: 0, layers: [[found.forecast, task], [left, grey]] },
          { kind: "bar", at: 1, layers: [[found.forecast, task]] },
          { kind: "bar", at: 2, layers: [[found.umbrella, model]] },
          { kind: "bar", at: 3, layers: [[found.beyond, curated]] },
          ...texts.map((bits, i) => ({ kind: "text", at: [i, bits], text: fixed(bits, 2) })),
        ],
        keys: [[task, "told by the forecast"], [grey, "left open by it"], [model, "told by the umbrella"],
          [curated, "by the umbrella, beyond the forecast"]],
      },
    };
  },
};
